from scopezoo.result import ENDINGS, Extras, Names, result_names, split_ending  # noqa: F401
