// The book's search, forgiving: where no page has every word, those pages are found that have most of them.

/** A page found: its name, title, anchor, description, score, file and kind, as Sphinx has them. */
type Hit = [string, string, string, string | null, number, string, string];
type Find = (words: Set<string>, without: Set<string>) => Hit[];

declare const Search: { performTermsSearch: Find } | undefined;

/** `all` finds pages that have all words; what comes back finds those with the most words, if there are none. */
export function most(all: Find): Find {
  return (words, without) => {
    const found = all(words, without);
    if (found.length || words.size < 2) return found;
    const met = new Map<string, { hit: Hit; words: number }>();
    for (const word of words) for (const hit of all(new Set([word]), without)) {
      const one = met.get(hit[5] + hit[2]) ?? { hit: [...hit.slice(0, 4), 0, ...hit.slice(5)] as Hit, words: 0 };
      one.words += 1;
      one.hit[4] += hit[4];
      met.set(hit[5] + hit[2], one);
    }
    const best = Math.max(0, ...[...met.values()].map((one) => one.words));
    return [...met.values()].filter((one) => one.words === best).map((one) => one.hit);
  };
}

if (typeof Search !== "undefined") Search.performTermsSearch = most(Search.performTermsSearch);
