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
 * Takes prompts line by line and streams the answers, keeping the conversation. Ctrl-C ends an
 * answer, or at the prompt the chat; so does the end of the input.
 *
 * @returns the exit code: 1 when the prompts came from a pipe and one was not answered
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
  /** The number of waiting prompts that were discarded with the last answer. */
  let dropped = 0
  const input = new ChatPrompts({
    terminal: tools.terminal,
    history: tools.terminal.input.isTTY ? await keptLines(history, tools) : [],
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
      tellFailure(line, tools)
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
      else tellFailure(error, tools)
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

/** What is not answered to its end is no part of the conversation. */
async function answer(
  content: string,
  conversation: Conversation,
  tools: ClientTools,
): Promise<void> {
  const { model, system, options } = conversation
  const messages: ChatMessage[] = [...conversation.messages, { role: 'user', content }]
  const first: ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: system }]
  const question = { messages: [...first, ...messages], model, ...(options && { options }) }
  const reply = await streamAnswer(tools, question)
  conversation.messages = [...messages, { role: 'assistant', ...reply }]
}

function tellFailure(error: unknown, { output }: ClientTools): void {
  output.failure(error)
  if (isStarlingError(error, 'CONTEXT_TOO_LONG', 'PAYLOAD_TOO_LARGE')) {
    output.notice('  /new starts a new conversation.')
  }
}

/** A history that cannot be read or written is no reason not to talk. */
async function keptLines(history: ChatHistory, { output }: ClientTools): Promise<string[]> {
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
