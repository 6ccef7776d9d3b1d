/** Tokens of an answer if the request sets no limit. The thought before it is not counted. */
export const USUAL_ANSWER_TOKENS = 512

/** Tokens of a thought and the answer together if the request sets no limit. */
export const USUAL_TOKENS_WITH_THOUGHT = 4096

/**
 * The most tokens that can be generated for a request.
 *
 * @param maxTokens the limit that the request sets: it includes the thought
 * @param mayThink whether the model may think first
 */
export function mostTokens(maxTokens: number | undefined, mayThink: boolean): number {
  return maxTokens ?? (mayThink ? USUAL_TOKENS_WITH_THOUGHT : USUAL_ANSWER_TOKENS)
}

/**
 * Whether nothing more may be generated. If the request sets no limit, the thought does not reduce the
 * length of the answer.
 *
 * @param count tokens so far, the thought included
 */
export function isLimitReached(
  maxTokens: number | undefined,
  count: number,
  thoughtCount: number,
): boolean {
  if (maxTokens !== undefined) return count >= maxTokens
  return count - thoughtCount >= USUAL_ANSWER_TOKENS || count >= USUAL_TOKENS_WITH_THOUGHT
}
