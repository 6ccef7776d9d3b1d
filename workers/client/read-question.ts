import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { ChatMessage } from '../../helpers/protocol/chat-message.js'
import { PROTOCOL_LIMITS } from '../../helpers/protocol/limits.js'
import { type GenerationFlags, generationOptions } from './generation-flags.js'
import { readInput } from './input/read-input.js'
import type { ClientTools } from './run-client.js'
import { streamAnswer } from './stream-answer.js'

/** The argument that stands for standard input. */
const INPUT = '-'

/**
 * How long to wait for the first byte of a pipe before the question is asked without it. Some programs
 * start commands with an open pipe that they never write to.
 */
const MAX_SILENCE_MS = 10_000

/**
 * Asks one question and streams the answer. The question consists of all words, followed by an empty line
 * and the piped input, if there is any. Without words, or with `-`, it is the standard input.
 *
 * @throws StarlingError BAD_USAGE when there is no question; as readInput and streamAnswer
 */
export async function askOnce(
  tools: ClientTools,
  { model, system, ...flags }: { model?: string } & GenerationFlags,
  words: readonly string[],
): Promise<undefined> {
  const options = generationOptions(flags)
  const content = await questionOf(words, tools)
  const messages: ChatMessage[] = [{ role: 'user', content }]
  if (system !== undefined) messages.unshift({ role: 'system', content: system })
  await streamAnswer(tools, { messages, model, ...(options && { options }) })
}

async function questionOf(words: readonly string[], tools: ClientTools): Promise<string> {
  const isInputAlone = words.length === 0 || (words.length === 1 && words[0] === INPUT)
  if (!isInputAlone) {
    const text = words.join(' ')
    // Standard input that is a terminal is not read.
    const piped =
      tools.terminal.isPiped === true ? await inputAfter(text, tools, MAX_SILENCE_MS) : ''
    return piped === '' ? text : `${text}\n\n${piped}`
  }
  if (words.length === 0 && tools.terminal.isPiped !== true) {
    throw new StarlingError(
      'BAD_USAGE',
      'The text of the question is missing; - reads it from standard input',
    )
  }
  const input = await inputAfter('', tools)
  if (input !== '') return input
  throw new StarlingError('BAD_USAGE', 'Standard input contains no text')
}

async function inputAfter(
  text: string,
  { host, output, signal, terminal }: ClientTools,
  maxSilenceMs?: number,
): Promise<string> {
  const input = await readInput(terminal.input, {
    maxBytes: Math.max(0, PROTOCOL_LIMITS.promptBytes - Buffer.byteLength(text)),
    maxSilenceMs,
    onWaiting: () => output.notice('Reading standard input until its end …'),
    clock: host.clock,
    signal,
  })
  return input.trim() === '' ? '' : input.replace(/\r?\n$/, '')
}
