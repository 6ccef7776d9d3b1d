/** A sequence of this many tokens that comes back is more than a turn of phrase. */
const SEQUENCE_TOKENS = 12

/** As often as such a sequence occurs in an answer that loops. */
const LOOP_OCCURRENCES = 3

/** Sequences of this length tell how varied an answer is. */
const NGRAM_TOKENS = 4

/** Whether an answer repeats itself word for word: a sequence of 12 tokens occurs three times. */
export function loops(tokens: readonly number[]): boolean {
  const occurrences = new Map<string, number>()
  for (const sequence of sequences(tokens, SEQUENCE_TOKENS)) {
    const count = (occurrences.get(sequence) ?? 0) + 1
    if (count >= LOOP_OCCURRENCES) return true
    occurrences.set(sequence, count)
  }
  return false
}

/** The share of an answer's sequences of four tokens that differ: 1 if none occurs twice. */
export function distinctShare(tokens: readonly number[]): number {
  const all = sequences(tokens, NGRAM_TOKENS)
  return all.length === 0 ? 1 : new Set(all).size / all.length
}

function sequences(tokens: readonly number[], length: number): string[] {
  const count = Math.max(0, tokens.length - length + 1)
  return Array.from({ length: count }, (_, start) => tokens.slice(start, start + length).join())
}
