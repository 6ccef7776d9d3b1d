import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { ChatMessage } from '../../../helpers/protocol/chat-message.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import type { ChatRequest } from '../chat-request.js'
import { type GenerationFlags, generationOptions } from '../generation-flags.js'
import type { InputTools } from '../run-client.js'
import { readStandardInput, STANDARD_INPUT } from './standard-input.js'

/**
 * How long to wait for the first byte of a pipe before the prompt is sent without it. Some programs
 * start commands with an open pipe that they never write to.
 */
const MAX_SILENCE_MS = 10_000

/**
 * The request of an `ask` command. Its prompt consists of all words, followed by an empty line and the piped
 * input, if there is any. Without words, or with `-`, it is the standard input.
 *
 * @throws StarlingError BAD_USAGE if there is no prompt; or as readStandardInput
 */
export async function readAskPrompt(
  tools: InputTools,
  { model, system, ...flags }: { model?: string } & GenerationFlags,
  words: readonly string[],
): Promise<ChatRequest> {
  const options = generationOptions(flags)
  const content = await contentOf(words, tools)
  const messages: ChatMessage[] = [{ role: 'user', content }]
  if (system !== undefined) messages.unshift({ role: 'system', content: system })
  return { messages, model, ...(options && { options }) }
}

async function contentOf(words: readonly string[], tools: InputTools): Promise<string> {
  if (words.length === 1 && words[0] === STANDARD_INPUT) return await inputAfter('', tools)
  // Standard input that is a terminal is not read.
  const isPiped = tools.terminal.isPiped === true
  if (words.length > 0) {
    const text = words.join(' ')
    const piped = isPiped ? await inputAfter(text, tools, MAX_SILENCE_MS) : ''
    return piped.trim() === '' ? text : `${text}\n\n${piped}`
  }
  const piped = isPiped ? await inputAfter('', tools) : ''
  if (piped.trim() !== '') return piped
  throw new StarlingError('BAD_USAGE', 'The prompt is missing; - reads it from standard input')
}

/** What is piped into the command, as far as a prompt has room for it. */
async function inputAfter(
  text: string,
  { host, output, signal, terminal }: InputTools,
  maxSilenceMs?: number,
): Promise<string> {
  return await readStandardInput(terminal.input, signal, {
    maxBytes: Math.max(0, PROTOCOL_LIMITS.promptBytes - Buffer.byteLength(text)),
    waiting: {
      clock: host.clock,
      onWaiting: () => output.notice('Reading standard input until its end …'),
      maxSilenceMs,
    },
  })
}
