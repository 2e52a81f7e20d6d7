"""Published model cards: what they print, what measures it, and what a measurement says of it.

from evalkit.cards import card_folders, find_card

card = find_card("krutrim2")                       # or the path of a folder with card.yaml and cells.csv
for table, row, form in card.rows_of(result): ...  # every row a TaskResult fills
card.columns_of(run)                               # the columns a run fills
nodes(card)                                        # what to run, as configuration
"""

from evalkit.cards.card import Card, CardRow, CardTable, PublishedCell, card_folders, card_names, find_card, load_card
from evalkit.cards.protocol import CardProtocol, RowProtocol, SuiteProtocol, TableProtocol, ThirdParty
from evalkit.cards.suites import nodes
from evalkit.cards.verdicts import Verdict, judge

__all__ = [
    "Card",
    "CardProtocol",
    "CardRow",
    "CardTable",
    "PublishedCell",
    "RowProtocol",
    "SuiteProtocol",
    "TableProtocol",
    "ThirdParty",
    "Verdict",
    "card_folders",
    "card_names",
    "find_card",
    "judge",
    "load_card",
    "nodes",
]
