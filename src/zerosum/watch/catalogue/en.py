"""The watch in English."""

TEXTS = {
    # verdicts, and what each of them means
    "verdict.too early": "too early",
    "verdict.learning": "learning",
    "verdict.balanced": "balanced",
    "verdict.D winning": "D winning",
    "verdict.G winning": "G winning",
    "verdict.mode collapse": "mode collapse",
    "verdict.oscillating": "oscillating",
    "verdict.not learning": "not learning",
    "verdict.memorising": "memorising",
    "verdict.identity collapse": "identity collapse",
    "verdict.steganographic": "steganographic",
    "verdict.condition ignored": "condition ignored",
    "verdict.diverged": "diverged",
    "meaning.too early": "Too little was seen to say anything.",
    "meaning.learning": "The samples get better.",
    "meaning.balanced": "Neither player wins, and the samples stay about as good as they are.",
    "meaning.D winning": "The discriminator tells real from fake so surely that the generator learns nothing from it.",
    "meaning.G winning": "The discriminator no longer tells real from fake, so the generator learns nothing from it.",
    "meaning.mode collapse": "The generator draws the same few images over and over.",
    "meaning.oscillating": "The samples get better and worse in turn, and arrive nowhere.",
    "meaning.not learning": "The samples do not get better.",
    "meaning.memorising": (
        "The discriminator knows the training images by heart, so it teaches those and not their kind."
    ),
    "meaning.identity collapse": "The translator gives back its input, although its domains differ.",
    "meaning.steganographic": (
        "The translations hide what they were made of, too faintly to be seen, and the way back reads it: the cycle "
        "comes back without a translation that says the same."
    ),
    "meaning.condition ignored": "What a player is given to go by changes nothing in what it says.",
    "meaning.diverged": "The numbers have run away.",
    # evidence
    "evidence.ended": "Training stopped because a number was not finite.",
    "evidence.soon": "{seconds:.0f} seconds of training so far; below {enough:.0f} nothing is judged.",
    "evidence.few": "{steps:,.0f} steps so far; before {enough:,.0f} a generator has hardly moved.",
    "evidence.young": (
        "{images:,.0f} images were seen; before {enough:,.0f} images or 1,000 steps even blank samples mean nothing."
    ),
    "evidence.silent": "{player} gets no updates: it is frozen, or its learning rate is 0.",
    "evidence.variety": (
        "Two samples differ {spread:.0%} as much as two real images, and the most similar ones {nearest:.0%} (both "
        "100% where all is well); the samples come near {coverage:.0%} of the real images."
    ),
    "evidence.variety.alone": (
        "Two samples differ {spread:.0%} as much as two real images, and the most similar ones {nearest:.0%}: both are "
        "100% where all is well."
    ),
    "evidence.range": (
        "The samples' values span only {reach:.1%} of the range of the real ones: the two are not on one scale."
    ),
    "evidence.gap": (
        "D rates training images {gap:.1f} standard deviations above images it never saw; 0 would be fair, and 1 "
        "is too much."
    ),
    "evidence.gradient.gone": (
        "{player}'s gradient has fallen from {then:.2g} to {now:.2g}: next to nothing reaches it."
    ),
    "evidence.gradient.burst": "{player}'s gradient has grown from {then:.2g} to {now:.2g}.",
    "evidence.swing": "From one score to the next {score} gets worse by {swing:.0%} on average.",
    "evidence.labels": (
        "D rates an image under its own class only {gap:.2f} standard deviations above the same image under "
        "another class: the labels do not fit the images."
    ),
    "evidence.unchanged": (
        "A translation differs from its input by {change:.0%} of what two images of the domains differ by, and keeps "
        "{arrived:.0%} of the domains' distance before it."
    ),
    "evidence.fragile": (
        "The way back misses by {cycle:.0%} of what two images of the domains differ by; noise on the translation that "
        "nobody sees adds {fragile:.1f} times as much as the noise itself (what is not hidden adds once at most)."
    ),
    "evidence.unheard.D": (
        "Beside what another image was made of, D's logits change by {change:.1%} of their deviation: it judges the "
        "image alone."
    ),
    "evidence.unheard.G": (
        "Asked for another domain, G changes its image by {change:.1%} of what two images of the domains differ by."
    ),
    "evidence.accuracy": (
        "D is right about {real:.0%} of the real and {fake:.0%} of the fake images over the last {window:,.0f} "
        "steps (50% is guessing, 100% leaves G nothing to learn); their logits lie {separation:.1f} standard "
        "deviations apart."
    ),
    "evidence.critic": (
        "A critic has no accuracy; its outputs for real and for fake images lie {separation:.1f} standard "
        "deviations apart over the last {window:,.0f} steps (0 is no difference)."
    ),
    "evidence.loss": (
        "The losses are D {D:.3g} and G {G:.3g}; where D can tell nothing they are {rest_D:.3g} and {rest_G:.3g}."
    ),
    "evidence.score": (
        "{score} was {first:.4g} at first, {best:.4g} at best, and is {last:.4g} now (lower is better); "
        "{since:.0%} of the training came after the best."
    ),
    # what to try
    "advice.wait": "Let it go on for a while.",
    "advice.go.on": "Let it go on.",
    "advice.use": "Use it.",
    "advice.finer": "Go on from the best checkpoint with a tenth of the learning rate.",
    "advice.lower.both": "Lower both learning rates.",
    "advice.lower.D": "Lower D's learning rate.",
    "advice.lower.G": "Lower G's learning rate.",
    "advice.apart.D": "D learns at many times G's rate: give both the same.",
    "advice.apart.G": "G learns at many times D's rate: give both the same.",
    "advice.penalty": "Give D a gradient penalty (R1), which keeps it smooth.",
    "advice.wake.G": "Let G learn.",
    "advice.wake.D": "Let D learn.",
    "advice.non-saturating": "Use the loss whose gradient does not vanish when D is sure.",
    "advice.fewer.turns": "Give D one turn a round.",
    "advice.more.turns": "Give D more turns.",
    "advice.smooth": "Let D aim at 0.9 for real images (one-sided label smoothing).",
    "advice.range": "Give data and generator the same range of values (`value_range`, and what G ends in).",
    "advice.look": "Look at the data: are the images what you think, and is their range of values right?",
    "advice.labels": "Look at the classes: do the labels belong to the images?",
    "advice.another": "Try a recipe that holds more modes.",
    "advice.beta1": "Use Adam with β1 0.5: with more momentum the two players circle each other.",
    "advice.average": "Keep an average of G's weights.",
    "advice.more.data": "Train on more images.",
    "advice.augment": "Augment what D sees, so that it can't learn the images by heart (DiffAugment; or ADA, with "
    "augment=ada and ada_target=0.6).",
    "advice.adaptive": "Augment as far as D overfits (ADA), by what leaves your images possible.",
    "advice.flip": "Mirror images at random, if mirrored images still make sense.",
    "advice.identity": "Leave out the term that rewards a translator for changing nothing.",
    "advice.cycle": "Let the way back count for less.",
    "advice.class": "Let the domain that was asked for count for more.",
    "advice.pairs": "Look at the pairs: does each image lie beside its own partner?",
    "advice.raise.D": "Let D learn faster, so that it finds what an image was made of.",
    "advice.less.to.hide": "Look at both domains: does one show what the other can't say? Take that out of the data.",
    "advice.with.pairs": "Where there are pairs, learn from them: nothing has to be hidden then.",
    # the frame
    "frame.since": "since step {step:,}",
    "frame.sure": "{sure:.0%} sure",
    "frame.evidence": "Evidence",
    "frame.try": "What to try next",
    "frame.nothing": "No verdict yet: the run has not logged a step.",
    "frame.title": "The watch",
}
