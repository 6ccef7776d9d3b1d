import type { ChatHistory } from '../../facilities/home/chat-history.js'
import { EXIT_CODES } from '../../facilities/process/exit-codes.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import type { ChatMessage } from '../../helpers/protocol/chat-message.js'
import { type Conversation, isChatCommand, runChatCommand } from './chat-commands.js'
import { type GenerationFlags, generationOptions } from './generation-flags.js'
import { ChatPrompts } from './input/chat-prompts.js'
import type { ClientTools } from './run-client.js'
import { streamAnswer } from './stream-answer.js'

/**
 * Reads prompts, streams the answers, and keeps the conversation. Ctrl-C stops an answer and, at an empty
 * prompt, ends the chat. The end of the input also ends it.
 *
 * @returns the exit code: 1 if the prompts came from a pipe and one was not answered
 */
export async function chat(
  tools: ClientTools,
  { model, system, ...flags }: { model?: string } & GenerationFlags,
): Promise<number | undefined> {
  const options = generationOptions(flags)
  const history = tools.folder.chatHistory
  const conversation: Conversation = { model, system, options, messages: [], isOver: false }
  let underWay: AbortController | null = null
  let hasFailed = false
  /** The number of queued prompts that were discarded with the last answer. */
  let dropped = 0
  const input = new ChatPrompts({
    terminal: tools.terminal,
    history: tools.terminal.input.isTTY ? await savedLines(history, tools) : [],
    onInterrupt: () => {
      if (underWay === null) return input.interrupt()
      dropped += input.dropWaiting()
      underWay.abort(new StarlingError('CANCELLED', 'The answer was stopped'))
    },
    onRefused: (error) => tools.output.failure(error),
  })
  tools.output.besideAPrompt((write) => input.writeAside(write))
  tools.signal.addEventListener('abort', () => input.close(), { once: true })
  if (tools.signal.aborted) input.close()
  if (input.isInteractive) tools.output.detail('/help lists the commands; Ctrl-D ends the chat.')

  for await (const line of input.prompts()) {
    if (tools.signal.aborted) break
    if (isStarlingError(line)) {
      hasFailed = true
      reportFailure(line, tools)
      continue
    }
    if (line.trim() === '') continue
    const kept = input.isInteractive ? keep(history, line, tools) : undefined
    underWay = new AbortController()
    const signal = AbortSignal.any([tools.signal, underWay.signal])
    try {
      if (isChatCommand(line)) await runChatCommand(line, conversation, { ...tools, signal })
      else await answer(line, conversation, { ...tools, signal })
    } catch (error) {
      if (tools.signal.aborted) break
      hasFailed = true
      if (underWay.signal.aborted) tools.output.cancelled(dropped)
      else reportFailure(error, tools)
    }
    dropped = 0
    underWay = null
    await kept
    if (conversation.isOver) break
  }
  input.close()
  if (input.isInteractive) {
    if (!conversation.isOver) tools.terminal.screen.write('\n')
    return undefined
  }
  return hasFailed || tools.signal.aborted ? EXIT_CODES.failed : undefined
}

/** A prompt is added to the conversation only when its answer is complete. */
async function answer(
  content: string,
  conversation: Conversation,
  tools: ClientTools,
): Promise<void> {
  const { model, system, options } = conversation
  const messages: ChatMessage[] = [...conversation.messages, { role: 'user', content }]
  const first: ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: system }]
  const request = { messages: [...first, ...messages], model, ...(options && { options }) }
  const reply = await streamAnswer(tools, request)
  conversation.messages = [...messages, { role: 'assistant', ...reply }]
}

function reportFailure(error: unknown, { output }: ClientTools): void {
  output.failure(error)
  if (isStarlingError(error, 'CONTEXT_TOO_LONG', 'PAYLOAD_TOO_LARGE')) {
    output.notice('  /new starts a new conversation.')
  }
}

/** The chat continues without a history if it cannot be read or written. */
async function savedLines(history: ChatHistory, { output }: ClientTools): Promise<string[]> {
  try {
    return await history.lines()
  } catch (error) {
    output.notice(`The history cannot be read: ${Object(error).message}`)
    return []
  }
}

async function keep(history: ChatHistory, line: string, { output }: ClientTools): Promise<void> {
  try {
    await history.keep(line)
  } catch (error) {
    output.notice(`Not saved in the history: ${Object(error).message}`)
  }
}
