"""Sentences that name two related entities and state no relation of them.

The key is the kinds of `{a}` and `{b}`; `org` stands for universities, faculties, companies and
clubs, `work` for books and films, `place` for countries, regions and towns.
"""

from __future__ import annotations

COMENTIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("person", "place"): (
        "{a} visited {b} <twice|in the summer|on business> but left after <a week|a few days>",
        "{a} passed through {b} on the way to the coast and stayed for one night",
        "The letters that {a} sent home from {b} were lost in a fire",
        "A <street|school|small square> in {b} has carried the name of {a} for a century",
        "{a} was travelling in {b} when {his:a} <daughter|nephew> was born at home",
        "{a} moved some of {his:a} books to {b} for safety during the war",
        "{a} worked in the archives of {b} for two winters, studying old maps",
        "A portrait of {a} hangs in the museum of {b}",
        "{a} wrote of {b} that it was a place to die of boredom in",
        "The newspapers of {b} wrongly reported the death of {a}",
        "An exhibition about {a} was opened in {b} by the mayor",
        "{a} was refused a passport for a journey to {b}",
        "{a} sold a house in {b} that {he:a} had never lived in",
        "Critics in {b} were slow to notice what {a} had made",
    ),
    ("person", "person"): (
        "{a} and {b} appear side by side in a photograph of the <congress|strike|flood>",
        "{a} borrowed money from {b} and was slow to return it",
        "{a} wrote to {b} every week from the sanatorium",
        "The papers of {a} lie in the same box as those of {b}",
        "{a} left the room when {b} was praised",
        "{b} was the only one who read the diaries of {a}",
        "{a} and {b} shared a house for a summer, together with a brother of the owner",
        "A play about {a} and {b} was shown to half empty houses",
    ),
    ("person", "org"): (
        "{a} gave a lecture on <bees|canals|old coins> at {b}",
        "{a} left {his:a} collection of <maps|shells|clocks> to {b}",
        "{a} was refused a post by {b} and never forgave it",
        "A <prize|scholarship> in the name of {a} is awarded by {b}",
        "{a} wrote an angry article about {b} in a weekly paper",
        "{a} joined a march against the closing of {b}",
        "{a} worked in the library across the road from {b}",
        "The archives of {b} hold a portrait of {a}",
    ),
    ("person", "work"): (
        "{a} was in the audience when {b} was presented",
        "{a} kept a signed copy of the programme of {b}",
        "{a} defended {b} against the censors in a long letter",
        "Asked about {b}, {a} answered that it had made too much noise",
        "A review of {b} compared it with the life of {a}",
        "The name of {a} is misspelt in an early notice about {b}",
    ),
    ("person", "concept"): (
        "{a} once paid {a:b} to <repair|paint|describe> the family house",
        "{a} shared lodgings with {a:b}, who moved out in the winter",
        "A portrait of {a} was left unfinished by {a:b} of the town",
        "{a} said that the life of {a:b} was the hardest of all",
    ),
    ("place", "place"): (
        "A railway between {a} and {b} was planned but never built",
        "Traders from {a} complained about the tolls of {b}",
        "The dialects of {a} and {b} were described in the same survey",
        "{a} sent a train of bread to {b} in the year of the flood",
        "Maps of the time show the road from {a} towards {b} as a dotted line",
        "People in {a} tell jokes about the slowness of {b}",
        "The floods of that year reached {a} a week before {b} was warned",
        "A delegation from {a} moved the parliament of {b} to laughter",
    ),
    ("org", "place"): (
        "{a} <sponsored|opened> a travelling exhibition that was shown in {b}",
        "{a} took the council of {b} to court over an unpaid bill",
        "Workers from {b} went on strike against {a}",
        "The name of {a} is painted on a wall in {b}",
        "{a} thought of leaving its old home and looked at a site in {b}",
        "A dispute over {a} was settled by the courts of {b}",
        "{a} bought <coal|paper|glass> through an agent in {b}",
    ),
    ("org", "org"): (
        "{a} and {b} quarrelled over the use of a <courtyard|boathouse|trademark>",
        "A former clerk of {a} sued {b} for damages",
        "{a} shared the cost of a printing press with {b}",
        "The books of {a} and {b} were audited in the same week",
    ),
    ("work", "place"): (
        "A copy of {a} was burnt in {b} by order of a judge",
        "Readers in {b} knew {a} only by rumour",
        "The first notice of {a} appeared in a newspaper of {b}",
        "Posters for {a} were torn down all over {b}",
        "{a} was forbidden in {b} until the reform of the press law",
    ),
    ("work", "work"): (
        "{a} and {b} were praised in the same column",
        "The title of {a} has been confused with that of {b}",
        "A critic preferred {b} to {a} without giving reasons",
    ),
    ("concept", "concept"): ("The difference between {a:a} and {a:b} is often debated",),
}
GROUPS = {
    "country": "place",
    "region": "place",
    "city": "place",
    "village": "place",
    "university": "org",
    "faculty": "org",
    "company": "org",
    "club": "org",
    "book": "work",
    "film": "work",
}
