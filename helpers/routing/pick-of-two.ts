/**
 * The less loaded of two candidates drawn at random: nearly as even as always asking the least
 * loaded one, without everybody rushing to the same one while its load is still reported as low.
 * Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 1996.
 *
 * @param below gives a random whole number from 0 up to, not including, its argument
 * @returns undefined when there is no candidate
 */
export function pickOfTwo<Candidate>(
  candidates: readonly Candidate[],
  loadOf: (candidate: Candidate) => number,
  below: (limit: number) => number,
): Candidate | undefined {
  if (candidates.length < 2) return candidates[0]
  const first = below(candidates.length)
  // Drawn from the others, so that the two are never the same.
  const second = (first + 1 + below(candidates.length - 1)) % candidates.length
  const one = candidates[first] as Candidate
  const other = candidates[second] as Candidate
  return loadOf(other) < loadOf(one) ? other : one
}
