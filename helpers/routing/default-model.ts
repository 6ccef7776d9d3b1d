/**
 * Chooses the model for questions that name none: the one that is first in the configuration of most
 * processors. If several are first equally often, the current one is kept; if it is not among them, the
 * alphabetically first is taken.
 *
 * The choice depends on the order that the operators gave and not on what changes during operation,
 * such as which models are loaded. It changes only if another model is first more often or if the
 * current one is not first anywhere any more. A processor that joins or leaves changes nothing as long
 * as most processors agree, and nothing if it only makes it a tie.
 *
 * @param firsts for each processor, the first of its models that answers questions
 * @param current the model that answered last
 */
export function chooseDefaultModel(
  firsts: readonly string[],
  current?: string,
): string | undefined {
  const votes = new Map<string, number>()
  for (const model of firsts) votes.set(model, (votes.get(model) ?? 0) + 1)
  const most = Math.max(...votes.values())
  const elected = [...votes].filter(([, count]) => count === most).map(([model]) => model)
  if (current !== undefined && elected.includes(current)) return current
  return elected.sort()[0]
}
