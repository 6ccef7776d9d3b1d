import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { ToolCall } from '../protocol/chat-message.js'
import { PROTOCOL_LIMITS } from '../protocol/limits.js'
import { JsonEnd } from './json-end.js'
import { textBeginningAtEnd } from './text-beginning.js'
import type { ToolSyntax } from './tool-syntax.js'

/** The longest call, as the model writes it; a longer one is plain text. */
const MAX_CALL_CHARACTERS = 32 * 1024

/** The arguments of all calls of an answer, in UTF-8: the end of an answer has to fit into a chunk. */
const MAX_ARGUMENTS_BYTES = 48 * 1024

/** A call as models write it. */
const writtenCallsSchema = z
  .array(
    z.object({
      name: z.string().min(1).max(64),
      arguments: z.unknown().optional(),
      parameters: z.unknown().optional(),
    }),
  )
  .min(1)

/** A function and its arguments as JSON text. */
type FunctionCall = ToolCall['function']

/**
 * Separates a model's text from its function calls, in a text that arrives in pieces.
 *
 * Text is held back as long as it may belong to a call. What turns out to be malformed or too long, or
 * never ends, is plain text and is returned unchanged.
 */
export class ToolCallText {
  readonly #syntax: ToolSyntax
  readonly #salt: string
  readonly #calls: ToolCall[] = []
  #argumentsBytes = 0
  /**
   * `text`: looking for an opening. `start`: the answer, or what follows a call, may be a call without
   * one. `json`, `closing`: within a call. `plain`: no call can come any more.
   */
  #state: 'text' | 'start' | 'json' | 'closing' | 'plain'
  /** Text that is still undecided. Within a call: what follows `#call`. */
  #unread = ''
  /** The call so far, with its opening. */
  #call = ''
  /** Whether more of it than the opening and white space has been read. */
  #hasBegun = false
  #jsonEnd = new JsonEnd()

  /** @param salt makes the ids of the calls differ from those of other answers */
  constructor(syntax: ToolSyntax, salt: string) {
    this.#syntax = syntax
    this.#salt = salt
    this.#state = syntax.opening === null ? 'start' : 'text'
  }

  /** The calls that are complete. */
  get calls(): readonly ToolCall[] {
    return this.#calls
  }

  /** Whether text is held back. */
  get holds(): boolean {
    return this.#unread !== '' || this.#call !== ''
  }

  /** Reads on. @returns the text that certainly belongs to no call */
  push(text: string): string {
    this.#unread += text
    let out = ''
    for (;;) {
      const step = this.#step()
      if (step === null) return out
      out += step
    }
  }

  /** Ends the text. @returns the text that was held back and is not a call */
  flush(): string {
    // Some models leave the closing out when nothing comes after it.
    if (this.#state === 'closing' && this.#takeCalls()) this.#unread = ''
    const rest = this.#call + this.#spoken(this.#unread)
    this.#call = ''
    this.#unread = ''
    return rest
  }

  /** Takes one step. @returns text that belongs to no call; null if more text is needed */
  #step(): string | null {
    if (this.#unread === '' && this.#state !== 'closing') return null
    switch (this.#state) {
      case 'plain':
        return this.#read(this.#unread.length)
      case 'text':
        return this.#findOpening(this.#syntax.opening ?? '')
      case 'start':
        return this.#findStart()
      case 'json':
        return this.#readJson()
      case 'closing':
        return this.#readClosing(this.#syntax.closing ?? '')
    }
  }

  #findOpening(opening: string): string | null {
    const at = this.#unread.indexOf(opening)
    if (at >= 0) {
      const before = this.#read(at)
      this.#begin(this.#read(opening.length))
      return this.#spoken(before)
    }
    const before = this.#unread.length - textBeginningAtEnd(this.#unread, opening)
    // White space may be what separates two calls.
    if (before === 0 || this.#spoken(this.#unread.slice(0, before)) === '') return null
    return this.#read(before)
  }

  #findStart(): string | null {
    const separator = this.#calls.length === 0 ? /^\s*/ : /^\s*;?\s*/
    const skipped = separator.exec(this.#unread)?.[0].length ?? 0
    if (skipped === this.#unread.length) return null
    if (this.#unread[skipped] === '{') {
      const before = this.#read(skipped)
      this.#begin(this.#calls.length === 0 ? before : '')
    } else {
      this.#state = 'plain'
    }
    return ''
  }

  #begin(opening: string): void {
    this.#call = opening
    this.#hasBegun = false
    this.#state = 'json'
    this.#jsonEnd = new JsonEnd()
  }

  #readJson(): string | null {
    const first = this.#hasBegun ? '{' : this.#unread.trimStart()[0]
    if (first !== undefined && first !== '{' && first !== '[') return this.#giveUp()
    this.#hasBegun = first !== undefined
    const end = this.#jsonEnd.push(this.#unread)
    this.#call += this.#read(end ?? this.#unread.length)
    if (this.#call.length > MAX_CALL_CHARACTERS) return this.#giveUp()
    if (end === null) return null
    this.#state = 'closing'
    return ''
  }

  #readClosing(closing: string): string | null {
    if (closing !== '') {
      const mark = this.#unread.trimStart()
      if (mark.length < closing.length && closing.startsWith(mark)) return null
      if (!mark.startsWith(closing)) return this.#giveUp()
    }
    const isTaken = this.#takeCalls()
    const skipped = this.#unread.length - this.#unread.trimStart().length
    const rest = this.#read(closing === '' ? 0 : skipped + closing.length)
    if (isTaken) {
      this.#state = this.#syntax.opening === null ? 'start' : 'text'
      return ''
    }
    return this.#giveUp() + rest
  }

  /** It is not a call after all. */
  #giveUp(): string {
    const out = this.#call
    this.#call = ''
    this.#state = this.#syntax.opening === null ? 'plain' : 'text'
    return out
  }

  /** White space after a call is syntax. */
  #spoken(text: string): string {
    return this.#calls.length > 0 && text.trim() === '' ? '' : text
  }

  #read(length: number): string {
    const read = this.#unread.slice(0, length)
    this.#unread = this.#unread.slice(length)
    return read
  }

  #json(): string {
    return this.#call.slice(this.#syntax.opening?.length ?? 0)
  }

  /** Parses what was read as one or more calls; false if it is malformed. */
  #takeCalls(): boolean {
    const calls = parseCalls(this.#json())
    const bytes = calls.reduce((sum, call) => sum + Buffer.byteLength(call.arguments), 0)
    const fits =
      this.#argumentsBytes + bytes <= MAX_ARGUMENTS_BYTES &&
      this.#calls.length + calls.length <= PROTOCOL_LIMITS.tools
    if (calls.length === 0 || !fits) return false
    this.#argumentsBytes += bytes
    for (const call of calls) {
      this.#calls.push({ id: this.#id(call), type: 'function', function: call })
    }
    this.#call = ''
    return true
  }

  /** Equal for the same call at the same position of the same answer. */
  #id(call: FunctionCall): string {
    const source = JSON.stringify([this.#salt, this.#calls.length, call.name, call.arguments])
    return `call_${createHash('sha256').update(source).digest('hex').slice(0, 24)}`
  }
}

/** The calls in a JSON text: one or a list; none if it is anything else. */
function parseCalls(json: string): FunctionCall[] {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    // Malformed: not a call.
    return []
  }
  const written = writtenCallsSchema.safeParse(Array.isArray(value) ? value : [value])
  if (!written.success) return []
  return written.data.map((call) => {
    const given = call.arguments ?? call.parameters ?? {}
    // Some models write the arguments as a string that holds the JSON.
    return { name: call.name, arguments: typeof given === 'string' ? given : JSON.stringify(given) }
  })
}
