/**
 * The model that answers questions that name none: the one that most processors were given first. When
 * several models were given first as often, the one that answered before goes on; otherwise the first
 * by name.
 *
 * It depends on the order that operators chose and on nothing that changes by itself, such as which
 * model is in memory. It changes when it is outvoted or not served any more: a processor that comes or
 * goes changes nothing as long as most agree, and between equals nothing changes at all.
 *
 * @param firsts the first model of each processor that answers questions
 * @param current the model that answered before
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
