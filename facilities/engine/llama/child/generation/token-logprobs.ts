import type { ControlledEvaluateIndexOutput } from 'node-llama-cpp'
import type { TokenLogprob } from '../../../../../helpers/protocol/generation.js'

/** The log-probability of a token, and those of the likeliest tokens at its position. */
export interface Logprobs {
  readonly logprob: number
  readonly topLogprobs: TokenLogprob[]
}

/**
 * The natural logarithms of probabilities, from logits.
 *
 * @param next the logits of the token and of the likeliest ones, and the sum of exp(logit - highest)
 *   over the whole vocabulary
 * @param count how many of the likeliest are wanted
 */
export function logprobsOf(
  { logits, totalLogitWeight }: ControlledEvaluateIndexOutput['next'],
  tokenId: number,
  count: number,
  text: (tokenId: number) => string,
): Logprobs {
  if (logits === undefined || totalLogitWeight === undefined)
    throw new Error('no logits were given')
  const ranked = [...logits].sort(([, one], [, other]) => other - one)
  const highest = ranked[0]?.[1] ?? 0
  const logTotal = Math.log(totalLogitWeight)
  const logprob = (logit: number) => Math.min(logit - highest - logTotal, 0)
  const own = ranked.find(([token]) => token === tokenId)
  if (own === undefined) throw new Error('the token has no logit')
  return {
    logprob: logprob(own[1]),
    topLogprobs: ranked.slice(0, count).map(([token, logit]) => ({
      tokenId: token,
      text: text(token),
      logprob: logprob(logit),
    })),
  }
}
