import { Template } from '@huggingface/jinja'
import { isStarlingError, StarlingError } from '../errors/starling-error.js'
import type { ChatMessage, Tool, ToolCall } from '../protocol/chat-message.js'
import { TemplatePlaceholders } from './template-placeholders.js'

/** A piece of a prompt. */
export interface PromptPart {
  readonly text: string
  /**
   * `template`: from the model's makers; may contain special tokens. `content`: from users and
   *   programs; what looks like a special token in it is plain text.
   */
  readonly from: 'template' | 'content'
}

/** What a chat template gets besides the conversation. */
export interface TemplateVariables {
  readonly bosToken: string
  readonly eosToken: string
}

/** Runs a template, or throws if it takes too long. */
export type TemplateRunner = <Result>(work: () => Result) => Result

/**
 * Words of JSON schemas, which some templates look for. They are fixed, so users cannot hide text in
 * them.
 */
const SCHEMA_WORDS: ReadonlySet<string> = new Set([
  ...['type', 'function', 'name', 'parameters', 'properties', 'required', 'description', 'items'],
  ...['object', 'array', 'string', 'number', 'integer', 'boolean', 'null', 'enum', 'default'],
  ...['additionalProperties', 'anyOf', 'oneOf', 'allOf', 'const', 'format', 'title'],
  ...['$ref', '$defs', 'minimum', 'maximum', 'minLength', 'maxLength', 'minItems', 'maxItems'],
])
const NO_WORDS: ReadonlySet<string> = new Set()

/** Arguments that are nested deeper stay as they were written: walking them could exhaust the stack. */
const MAX_NESTING = 64

/**
 * Formats a conversation as the model was trained to read it, with the model's own Jinja template.
 *
 * The template never sees the contents: it is rendered with placeholders for messages, for the names
 * and descriptions of functions and for their arguments, which are replaced by the contents afterwards,
 * as separate parts. So users cannot end their own turn by writing the model's special tokens, whatever
 * the template does.
 */
export class ChatTemplate {
  readonly #template: Template | null
  readonly #variables: TemplateVariables
  readonly #run: TemplateRunner
  #switchesThinking: boolean | undefined

  /**
   * @param template Jinja source; null for a model without one, whose prompt is the contents of the
   *   messages joined by newlines
   * @param run runs the template, which is a program and may never end. Default: no time limit
   * @throws StarlingError MODEL_INVALID when the template cannot be parsed
   */
  constructor(
    template: string | null,
    variables: TemplateVariables,
    run: TemplateRunner = (work) => work(),
  ) {
    this.#variables = variables
    this.#run = run
    try {
      this.#template = template === null ? null : run(() => new Template(template))
    } catch (cause) {
      throw new StarlingError(
        'MODEL_INVALID',
        `The model's chat template cannot be read: ${cause}`,
        {
          cause,
        },
      )
    }
  }

  /**
   * Whether the template lets thinking be turned on and off. Tested with a conversation, because
   * templates do not declare it.
   */
  get switchesThinking(): boolean {
    this.#switchesThinking ??= this.#trySwitch()
    return this.#switchesThinking
  }

  /**
   * The prompt of a conversation, ending where the model's answer begins.
   *
   * @param options.thinking whether the model thinks first; undefined: the template decides
   * @throws StarlingError INVALID_REQUEST when the template refuses the conversation, as some do
   *   when the roles do not alternate, or takes too long with it
   */
  parts(
    messages: readonly ChatMessage[],
    tools: readonly Tool[] = [],
    { thinking }: { readonly thinking?: boolean | undefined } = {},
  ): PromptPart[] {
    const template = this.#template
    if (template === null) {
      return [{ text: messages.map(({ content }) => content).join('\n'), from: 'content' }]
    }
    try {
      return this.#run(() => this.#rendered(template, { messages, tools, thinking }))
    } catch (cause) {
      if (isStarlingError(cause)) throw cause
      throw refused(cause instanceof Error ? cause.message : String(cause), cause)
    }
  }

  #rendered(
    template: Template,
    {
      messages,
      tools,
      thinking,
    }: {
      readonly messages: readonly ChatMessage[]
      readonly tools: readonly Tool[]
      readonly thinking: boolean | undefined
    },
  ): PromptPart[] {
    const placeholders = new TemplatePlaceholders()
    const rendered = template.render({
      messages: templateMessages(messages, placeholders),
      ...(tools.length > 0 && {
        tools: tools.map((tool) => placeholders.value(templateTool(tool), SCHEMA_WORDS)),
      }),
      add_generation_prompt: true,
      // The first is the name that Qwen3 and most others use, the second that of DeepSeek and Granite.
      ...(thinking !== undefined && { enable_thinking: thinking, thinking }),
      bos_token: this.#variables.bosToken,
      eos_token: this.#variables.eosToken,
    })
    const pieces = placeholders.fill(rendered)
    if (pieces === null) throw refused('it changes the messages')
    return pieces.map(({ text, content }) => ({
      text,
      from: content === null ? 'template' : 'content',
    }))
  }

  #trySwitch(): boolean {
    const conversation: readonly ChatMessage[] = [{ role: 'user', content: 'Hello' }]
    const prompt = (thinking: boolean) =>
      this.parts(conversation, [], { thinking })
        .map(({ text }) => text)
        .join('')
    try {
      return prompt(true) !== prompt(false)
    } catch (error) {
      // A template may refuse this conversation; a switch cannot be detected then.
      if (!isStarlingError(error, 'INVALID_REQUEST')) throw error
      return false
    }
  }
}

/** Templates expect parameters, even for a function that takes none. */
function templateTool(tool: Tool): Tool {
  const parameters = tool.function.parameters ?? { type: 'object', properties: {} }
  return { type: 'function', function: { ...tool.function, parameters } }
}

function templateMessages(
  messages: readonly ChatMessage[],
  placeholders: TemplatePlaceholders,
): unknown[] {
  // Some templates require ids of nine characters; none uses them as more than an id.
  const calls = new Map<string, { id: string; name: string }>()
  return messages.map((message) => {
    const content = placeholders.text(message.content)
    if (message.role === 'tool') {
      const call = calls.get(message.toolCallId)
      return {
        role: message.role,
        content,
        tool_call_id: call?.id ?? callId(calls.size),
        ...(call && { name: placeholders.text(call.name) }),
      }
    }
    if (message.role !== 'assistant') return { role: message.role, content }
    const toolCalls = message.toolCalls?.map((call) => {
      const id = callId(calls.size)
      calls.set(call.id, { id, name: call.function.name })
      return { id, type: 'function', function: templateCall(call, placeholders) }
    })
    return {
      role: message.role,
      content,
      // Templates put it on separate lines, and cannot trim a placeholder.
      ...(message.reasoning !== undefined && {
        reasoning_content: placeholders.text(message.reasoning.trim()),
      }),
      ...(toolCalls && { tool_calls: toolCalls }),
    }
  })
}

/** Templates write the arguments as JSON, which would add quotation marks to a string. */
function templateCall(call: ToolCall, placeholders: TemplatePlaceholders): unknown {
  const { name, arguments: text } = call.function
  const given = parsedObject(text)
  return {
    name: placeholders.text(name),
    arguments: given === null ? placeholders.text(text) : placeholders.value(given, NO_WORDS),
  }
}

function parsedObject(text: string): unknown {
  if (nesting(text) > MAX_NESTING) return null
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null
  } catch {
    // What the model wrote need not be JSON: then it is used as it is.
    return null
  }
}

/** Whether it is at most this deep; brackets within strings are counted too. */
function nesting(text: string): number {
  let deepest = 0
  let depth = 0
  for (const character of text) {
    if (character === '[' || character === '{') depth += 1
    else if (character === ']' || character === '}') depth -= 1
    deepest = Math.max(deepest, depth)
  }
  return deepest
}

function callId(index: number): string {
  return String(index).padStart(9, '0')
}

function refused(why: string, cause?: unknown): StarlingError {
  return new StarlingError(
    'INVALID_REQUEST',
    `The model's chat template refuses this conversation: ${why}`,
    { cause },
  )
}
