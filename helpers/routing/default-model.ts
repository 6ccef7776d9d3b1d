/**
 * The models that are the first one on most processors, in alphabetical order.
 *
 * @param votes for each model, on how many processors it is the first one in the configuration
 */
export function leadingModels(votes: ReadonlyMap<string, number>): string[] {
  let most = 1
  for (const count of votes.values()) most = Math.max(most, count)
  return [...votes].flatMap(([model, count]) => (count === most ? model : [])).sort()
}

/**
 * Chooses the model for requests that name none: the one that is first in the configuration of most
 * processors. If several are first equally often, the current one is kept. If it is not among them, the
 * alphabetically first one is chosen.
 *
 * The choice depends on the order in the configuration and not on what changes during operation, such as
 * which models are loaded. It changes only if another model is first more often or if the
 * current one is not first anywhere any more. A processor that joins or leaves changes nothing as long
 * as most processors agree, and nothing if it only makes it a tie.
 *
 * @param leading see {@link leadingModels}
 * @param current the model that answered last
 * @returns undefined if there is no model
 */
export function chooseDefaultModel(
  leading: readonly string[],
  current?: string,
): string | undefined {
  return current !== undefined && leading.includes(current) ? current : leading[0]
}
