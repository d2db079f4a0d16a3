"""`scopezoo dataset …`: pairs of images, from two microscopes to a dataset that others can use."""

from __future__ import annotations

import typer

from scopezoo.cli.dataset import (
    check,
    importing,
    publish,
    pull,
    recipe,
    register,
    register_all,
    simulate,
    simulate_nuclei,
    split,
)

app = typer.Typer(
    name="dataset",
    help="Pairs of images of one field by two microscopes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("simulate")(simulate.simulate_pairs)
app.command("simulate-nuclei")(simulate_nuclei.simulate_nuclei_stacks)
app.command("import")(importing.import_pairs)
app.command("register")(register.register_files)
app.command("register-all")(register_all.register_all)
app.command("check")(check.check_dataset)
app.command("split")(split.split_dataset)
app.command("recipe")(recipe.start_recipe)
app.command("publish")(publish.publish_dataset)
app.command("pull")(pull.pull_dataset)
