import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { ChatMessage } from '../../helpers/protocol/chat-message.js'
import type { GenerationOptionsInput } from '../../helpers/protocol/generation-options.js'
import { safeLine } from '../../helpers/text/terminal-text.js'
import { describeModel } from './models.js'
import type { ClientTools } from './run-client.js'

/** The state of a chat. */
export interface Conversation {
  /** Undefined: the mesh chooses the model. */
  model: string | undefined
  /** The system message of each conversation. */
  readonly system: string | undefined
  readonly options: GenerationOptionsInput | undefined
  messages: ChatMessage[]
  /** Whether the user has ended the chat. */
  isOver: boolean
}

interface ChatCommand {
  readonly usage: string
  readonly description: string
  run(conversation: Conversation, tools: ClientTools, argument: string): Promise<void> | void
}

const COMMANDS: Readonly<Record<string, ChatCommand>> = {
  '/model': {
    usage: '/model [name]',
    description: 'choose the model that answers, or list the available models',
    run: (conversation, tools, name) =>
      name === '' ? listModels(conversation, tools) : chooseModel(conversation, tools, name),
  },
  '/new': {
    usage: '/new',
    description: 'start a new conversation',
    run(conversation, { output }) {
      conversation.messages = []
      output.line('A new conversation.', { type: 'new' })
    },
  },
  '/help': {
    usage: '/help',
    description: 'list these commands',
    run(_, { output }) {
      const commands = Object.values(COMMANDS).map(({ usage, description }) => ({
        usage,
        description,
      }))
      const lines = commands.map(({ usage, description }) => `${usage.padEnd(14)} ${description}`)
      output.line(
        [
          ...lines,
          'Ctrl-C stops an answer. At the prompt, it clears the line; on an empty line, it ends the chat.',
          'Ctrl-D ends the chat. Ctrl-Z suspends it, and fg resumes it.',
          'A line that ends with \\ continues on the next line. Lines between """ are one prompt, and',
          'so is pasted text.',
          'A line that begins with a space is a prompt in any case, and is not saved in the history.',
        ].join('\n'),
        { type: 'help', commands },
      )
    },
  },
  '/quit': {
    usage: '/quit',
    description: 'end the chat',
    run(conversation) {
      conversation.isOver = true
    },
  },
}

/** Whether a prompt is a command. Prompts of several lines are not. */
export function isChatCommand(prompt: string): boolean {
  return prompt.startsWith('/') && !prompt.includes('\n')
}

/** Runs a command. @throws StarlingError BAD_USAGE if it is unknown; or as the command */
export async function runChatCommand(
  line: string,
  conversation: Conversation,
  tools: ClientTools,
): Promise<void> {
  const [name = '', ...rest] = line.trim().split(/\s+/)
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command !== undefined) return await command.run(conversation, tools, rest.join(' '))
  throw new StarlingError(
    'BAD_USAGE',
    `Unknown command ${name}; put a space before a prompt that begins with /`,
  )
}

async function listModels({ model }: Conversation, tools: ClientTools): Promise<void> {
  const models = await tools.client.models(tools.signal)
  const list = models.map((served) => `\n  ${describeModel(served)}`).join('')
  tools.output.line(
    `${model === undefined ? 'The mesh chooses the model' : `The model is ${safeLine(model)}`}; ` +
      (models.length === 0 ? 'no model is available.' : `available models:${list}`),
    { type: 'models', model, models },
  )
}

async function chooseModel(
  conversation: Conversation,
  tools: ClientTools,
  name: string,
): Promise<void> {
  // Checked now, because a prompt would wait for a processor that serves the model.
  await tools.client.models(tools.signal, name)
  conversation.model = name
  tools.output.line(`The model is ${safeLine(name)}.`, { type: 'model', model: name })
}
