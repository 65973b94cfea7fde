"""The watch in Vietnamese, with the terms of the tutorials."""

TEXTS = {
    # verdicts, and what each of them means
    "verdict.too early": "còn quá sớm",
    "verdict.learning": "đang học",
    "verdict.balanced": "cân bằng",
    "verdict.D winning": "D đang thắng",
    "verdict.G winning": "G đang thắng",
    "verdict.mode collapse": "mode collapse",
    "verdict.oscillating": "dao động",
    "verdict.not learning": "không học được",
    "verdict.memorising": "học thuộc lòng",
    "verdict.identity collapse": "sụp đổ về ánh xạ đồng nhất",
    "verdict.steganographic": "giấu tin",
    "verdict.condition ignored": "bỏ qua điều kiện",
    "verdict.diverged": "phân kỳ",
    "meaning.too early": "Mới huấn luyện được quá ít để kết luận điều gì.",
    "meaning.learning": "Ảnh sinh ra đang tốt dần lên.",
    "meaning.balanced": "Không bên nào thắng, và chất lượng ảnh gần như giữ nguyên.",
    "meaning.D winning": (
        "Discriminator phân biệt ảnh thật và ảnh giả quá chắc chắn, nên generator không học được gì từ nó."
    ),
    "meaning.G winning": (
        "Discriminator không còn phân biệt được ảnh thật và ảnh giả, nên generator không học được gì từ nó."
    ),
    "meaning.mode collapse": "Generator cứ vẽ đi vẽ lại vài ảnh giống nhau.",
    "meaning.oscillating": "Ảnh lúc tốt lúc xấu, không tiến tới đâu.",
    "meaning.not learning": "Ảnh không tốt lên.",
    "meaning.memorising": (
        "Discriminator đã thuộc lòng các ảnh huấn luyện, nên nó dạy chính các ảnh đó chứ không dạy cái chung của chúng."
    ),
    "meaning.identity collapse": "Mạng dịch ảnh trả lại chính ảnh đầu vào, dù hai miền khác nhau.",
    "meaning.steganographic": (
        "Ảnh dịch giấu thông tin của ảnh gốc, mờ đến mức mắt không thấy, và chiều về đọc lại nó: chu trình khép kín "
        "mà bản dịch không thật sự nói cùng một điều."
    ),
    "meaning.condition ignored": "Điều kiện được đưa cho một bên không làm thay đổi gì trong kết quả của nó.",
    "meaning.diverged": "Các con số đã vượt khỏi tầm kiểm soát.",
    # evidence
    "evidence.ended": "Huấn luyện đã dừng vì có một giá trị không hữu hạn.",
    "evidence.soon": "Mới huấn luyện {seconds:.0f} giây; dưới {enough:.0f} giây thì chưa xét điều gì.",
    "evidence.few": "Mới {steps:,.0f} bước; trước {enough:,.0f} bước thì generator hầu như chưa thay đổi.",
    "evidence.young": (
        "Mới xem {images:,.0f} ảnh; trước {enough:,.0f} ảnh hoặc 1.000 bước thì ngay cả ảnh trống cũng chưa nói "
        "lên điều gì."
    ),
    "evidence.silent": "{player} không được cập nhật: nó bị đóng băng, hoặc learning rate của nó bằng 0.",
    "evidence.variety": (
        "Hai ảnh sinh ra chỉ khác nhau bằng {spread:.0%} so với hai ảnh thật, và các ảnh giống nhau nhất bằng "
        "{nearest:.0%} (cả hai là 100% khi mọi thứ đều ổn); ảnh sinh ra đến gần {coverage:.0%} số ảnh thật."
    ),
    "evidence.variety.alone": (
        "Hai ảnh sinh ra chỉ khác nhau bằng {spread:.0%} so với hai ảnh thật, và các ảnh giống nhau nhất bằng "
        "{nearest:.0%}: cả hai là 100% khi mọi thứ đều ổn."
    ),
    "evidence.range": (
        "Giá trị của ảnh sinh ra chỉ trải trên {reach:.1%} miền giá trị của ảnh thật: hai bên không cùng một thang đo."
    ),
    "evidence.gap": (
        "D chấm ảnh huấn luyện cao hơn ảnh nó chưa từng thấy {gap:.1f} độ lệch chuẩn; 0 là công bằng, 1 là quá nhiều."
    ),
    "evidence.gradient.gone": (
        "Gradient của {player} đã giảm từ {then:.2g} xuống {now:.2g}: hầu như không còn gì đến được nó."
    ),
    "evidence.gradient.burst": "Gradient của {player} đã tăng từ {then:.2g} lên {now:.2g}.",
    "evidence.swing": "Từ lần chấm này sang lần chấm sau, {score} xấu đi trung bình {swing:.0%}.",
    "evidence.labels": (
        "D chấm một ảnh với đúng nhãn của nó chỉ cao hơn cùng ảnh đó với nhãn khác {gap:.2f} độ lệch chuẩn: nhãn "
        "không khớp với ảnh."
    ),
    "evidence.unchanged": (
        "Ảnh dịch chỉ khác ảnh đầu vào bằng {change:.0%} so với hai ảnh của hai miền khác nhau, và vẫn còn cách miền "
        "đích {arrived:.0%} khoảng cách ban đầu."
    ),
    "evidence.fragile": (
        "Chiều về chỉ sai {cycle:.0%} so với hai ảnh của hai miền khác nhau; nhiễu trên ảnh dịch mà mắt không thấy "
        "làm sai thêm gấp {fragile:.1f} lần chính nhiễu đó (khi không giấu gì thì nhiều nhất là một lần)."
    ),
    "evidence.unheard.D": (
        "Đặt cạnh đầu vào của ảnh khác, logits của D chỉ đổi {change:.1%} độ lệch chuẩn của chúng: nó chỉ chấm riêng "
        "tấm ảnh."
    ),
    "evidence.unheard.G": (
        "Khi được yêu cầu một miền khác, G chỉ đổi ảnh của nó {change:.1%} so với hai ảnh của hai miền khác nhau."
    ),
    "evidence.accuracy": (
        "D đoán đúng {real:.0%} ảnh thật và {fake:.0%} ảnh giả trong {window:,.0f} bước gần nhất (50% là đoán mò, "
        "100% thì G không còn gì để học); logits của hai bên cách nhau {separation:.1f} độ lệch chuẩn."
    ),
    "evidence.critic": (
        "Critic không có độ chính xác; đầu ra của nó cho ảnh thật và ảnh giả cách nhau {separation:.1f} độ lệch "
        "chuẩn trong {window:,.0f} bước gần nhất (0 là không khác gì nhau)."
    ),
    "evidence.loss": (
        "Loss của D là {D:.3g}, của G là {G:.3g}; khi D không phân biệt được gì chúng là {rest_D:.3g} và {rest_G:.3g}."
    ),
    "evidence.score": (
        "{score} lúc đầu là {first:.4g}, tốt nhất là {best:.4g}, bây giờ là {last:.4g} (càng thấp càng tốt); "
        "{since:.0%} thời gian huấn luyện nằm sau lần tốt nhất."
    ),
    # what to try
    "advice.wait": "Cứ để nó chạy thêm một lúc.",
    "advice.go.on": "Cứ để nó chạy tiếp.",
    "advice.use": "Hãy dùng nó.",
    "advice.finer": "Đi tiếp từ checkpoint tốt nhất với learning rate bằng một phần mười.",
    "advice.lower.both": "Giảm learning rate của cả hai.",
    "advice.lower.D": "Giảm learning rate của D.",
    "advice.lower.G": "Giảm learning rate của G.",
    "advice.apart.D": "Learning rate của D gấp nhiều lần của G: hãy cho hai bên bằng nhau.",
    "advice.apart.G": "Learning rate của G gấp nhiều lần của D: hãy cho hai bên bằng nhau.",
    "advice.penalty": "Thêm gradient penalty (R1) cho D để nó trơn hơn.",
    "advice.wake.G": "Cho G học.",
    "advice.wake.D": "Cho D học.",
    "advice.non-saturating": "Dùng loss có gradient không triệt tiêu khi D đã chắc chắn.",
    "advice.fewer.turns": "Mỗi vòng chỉ cho D học một lần.",
    "advice.more.turns": "Cho D học nhiều lần hơn.",
    "advice.smooth": "Cho D nhắm tới 0,9 với ảnh thật (làm mượt nhãn một phía).",
    "advice.range": "Cho dữ liệu và generator cùng một miền giá trị (`value_range`, và lớp cuối của G).",
    "advice.look": "Hãy xem lại dữ liệu: ảnh có đúng như bạn nghĩ không, miền giá trị có đúng không?",
    "advice.labels": "Hãy xem lại các lớp: nhãn có đúng là của ảnh không?",
    "advice.another": "Thử một công thức giữ được nhiều mode hơn.",
    "advice.beta1": "Dùng Adam với β1 0,5: quán tính lớn hơn khiến hai bên chạy vòng quanh nhau.",
    "advice.average": "Giữ trung bình trượt các trọng số của G.",
    "advice.more.data": "Huấn luyện với nhiều ảnh hơn.",
    "advice.augment": "Tăng cường (augment) những gì D nhìn thấy, để D không học thuộc lòng ảnh (DiffAugment; "
    "hoặc ADA, với augment=ada và ada_target=0.6).",
    "advice.adaptive": "Tăng cường theo mức D học thuộc lòng (ADA), bằng những phép mà ảnh của bạn vẫn hợp lý.",
    "advice.flip": "Lật ảnh ngẫu nhiên, nếu ảnh lật vẫn có nghĩa.",
    "advice.identity": "Bỏ thành phần thưởng cho việc không đổi gì trong ảnh.",
    "advice.cycle": "Giảm trọng số của chiều về.",
    "advice.class": "Tăng trọng số của miền được yêu cầu.",
    "advice.pairs": "Hãy xem các cặp ảnh: mỗi ảnh có nằm cạnh đúng ảnh của nó không?",
    "advice.raise.D": "Cho D học nhanh hơn, để nó nhận ra ảnh được tạo từ đâu.",
    "advice.less.to.hide": "Hãy xem cả hai miền: điều gì một bên có mà bên kia không nói được? Hãy bỏ nó khỏi dữ liệu.",
    "advice.with.pairs": "Nếu có các cặp ảnh, hãy học từ chúng: khi đó không có gì phải giấu.",
    # the frame
    "frame.since": "từ bước {step:,}",
    "frame.sure": "chắc chắn {sure:.0%}",
    "frame.evidence": "Bằng chứng",
    "frame.try": "Nên thử gì tiếp theo",
    "frame.nothing": "Chưa có nhận định: lượt chạy chưa ghi bước nào.",
    "frame.title": "Người theo dõi",
}
