"""The short form, `python main.py -s True -t True`: set up and train without naming a command."""

from collections.abc import Mapping, Sequence

from ferkit.cli import setup, train
from ferkit.cli.arguments import CommandParser, add_boolean, options_from
from ferkit.cli.extras import check_extra
from ferkit.errors import UserError

HELP = """\
short form:
  python main.py -s True -d data
      write the dataset to disk from the Kaggle files in data/
  python main.py -t True -d data
      train Deep-Emotion as in the paper
  python main.py -t True -d data -hparams True --epochs 5 --learning_rate 0.005 --batch_size 32
  python main.py -t True -d data -m dan
      train DAN

without the Kaggle files, on drawn sample faces:
  python main.py setup --sample -d data/sample
  python main.py train -d data/sample --recipe input_warp --epochs 10

`python main.py COMMAND --help` shows the options and examples of a command.
"""


def short_parser(description: str, summaries: Mapping[str, str]) -> CommandParser:
    """The parser of the short form: -s and -t, and every flag of `setup` and `train`.

    Args:
        description: the first paragraph of the help.
        summaries: command -> what it does, listed in the help.
    """
    commands = "\n".join(f"  {name:<10}{summary}" for name, summary in summaries.items())
    parser = CommandParser(
        prog="python main.py",
        description=description,
        epilog=f"commands:\n{commands}\n\n{HELP}",
        usage="python main.py COMMAND [options]\n       python main.py -s True | -t True [options]",
        known_words=summaries,
    )
    add_boolean(parser, "-s", "--setup", help_text="set up the dataset")
    add_boolean(parser, "-t", "--train", help_text="train a model")
    setup.add_dataset(parser)
    setup.add_setup_flags(parser)
    train.add_training_flags(parser)
    return parser


def run_short_form(description: str, summaries: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Set up, train or both, or print the help without arguments; returns the exit code.

    Args:
        description: see ``short_parser``.
        summaries: see ``short_parser``.
        arguments: the words after the program's name.

    Raises:
        UserError: neither -s True nor -t True was given.
    """
    parser = short_parser(description, summaries)
    if not arguments:
        parser.print_help()
        return 0
    namespace = parser.parse_args(parser.known_spellings(arguments))
    if not (namespace.setup or namespace.train):
        raise UserError(
            "python main.py",
            "nothing to do",
            "add -s True to set up, add -t True to train, or name a command first",
        )
    check_extra("train")
    # The recipe's --seed decides the split as well.
    namespace.seed = namespace.overrides.get("seed")
    code = setup.run(options_from(setup.Options, namespace)) if namespace.setup else 0
    if code == 0 and namespace.train:
        code = train.run(options_from(train.Options, namespace))
    return code
