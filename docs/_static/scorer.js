// How the search orders its answers: a heading that holds the whole question first, newcomers' pages before decisions.
var Scorer = {
  score: ([name, , , , score, , kind]) =>
    score + (kind === "title" ? 30 : 0) + (name.startsWith("decisions/") ? -14 : name === "how-to/questions" ? 12 : 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
