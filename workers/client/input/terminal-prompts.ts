import { clearScreenDown, cursorTo, moveCursor } from 'node:readline'
import { createInterface, type Interface } from 'node:readline/promises'
import { isKept, MAX_HISTORY_LINES } from '../../../facilities/home/chat-history.js'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { PromptLines } from '../../../helpers/text/prompt-lines.js'
import { safeText } from '../../../helpers/text/terminal-text.js'
import type { HeldTerminal, Terminal } from '../run-client.js'
import { BracketedPasteInput } from './bracketed-paste.js'

const PROMPT = '> '
/** Shown at the second and all further lines of a prompt. */
const CONTINUATION = '... '

/** A prompt that waits for its turn. */
interface Waiting {
  readonly prompt: string
  /** Whether it was typed while no prompt was shown. */
  readonly isTypedAhead: boolean
}

/**
 * Reads prompts from a terminal, with a history and prompts of several lines. A paste is one prompt. What
 * is typed while an answer streams is queued.
 */
export class TerminalPrompts {
  readonly #screen: NodeJS.WritableStream
  readonly #lines: Interface
  readonly #session: HeldTerminal | undefined
  readonly #onRefused: (error: StarlingError) => void
  /** The lines of an unfinished prompt. */
  readonly #unfinished = new PromptLines()
  readonly #waiting: Waiting[] = []
  #isOpen = true
  /** Whether the prompt is shown. */
  #isPrompting = false
  /** The text before the current pasted line; null when no paste is being inserted. */
  #typedBeforePaste: string | null = null
  #wake: () => void = () => undefined

  /**
   * @param options.history what was typed before, the oldest first
   * @param options.onInterrupt Ctrl-C was typed
   * @param options.onRefused called when a paste is too long
   */
  constructor(options: {
    terminal: Terminal
    history: readonly string[]
    onInterrupt: () => void
    onRefused: (error: StarlingError) => void
  }) {
    const { input, screen } = options.terminal
    const keys = new BracketedPasteInput(input)
    this.#screen = screen
    this.#onRefused = options.onRefused
    this.#lines = createInterface({
      input: keys,
      output: screen,
      terminal: true,
      prompt: PROMPT,
      // readline expects the latest first.
      history: [...options.history].reverse(),
      historySize: MAX_HISTORY_LINES,
    })
    this.#lines.on('line', (line: string) => this.#takeLine(line))
    this.#lines.once('close', () => this.#end())
    this.#lines.on('SIGINT', options.onInterrupt)
    this.#keepShortLinesAlone()
    keys.on('paste', (text: string | null) => this.#paste(text))
    this.#session = options.terminal.openSession?.({
      setRawMode: (isRaw) => keys.setRawMode(isRaw),
      onContinued: () => this.#showAgain(),
    })
    if (this.#session !== undefined) this.#lines.on('SIGTSTP', () => this.#session?.stopJob())
  }

  /** Ends the chat after the prompts that were already typed. */
  close(): void {
    this.#lines.close()
  }

  /** The prompts in their order, each shown after the previous one was handled. */
  async *prompts(): AsyncGenerator<string, void, void> {
    for (;;) {
      const next = this.#waiting.shift()
      if (next !== undefined) {
        // It was echoed within the answer before, so it is shown again.
        if (next.isTypedAhead) this.#screen.write(shown(next.prompt))
        yield next.prompt
      } else if (this.#isOpen) {
        const woken = new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        this.#showPrompt()
        await woken
      } else {
        return
      }
    }
  }

  /**
   * Handles Ctrl-C at the prompt: clears the line, an unfinished prompt and the queue. If all of them are
   * empty, it ends the chat.
   */
  interrupt(): void {
    const { line } = this.#lines
    if (line === '' && this.#unfinished.isEmpty && this.#waiting.length === 0) {
      this.close()
      return
    }
    this.dropWaiting()
    this.#lines.write(null, { ctrl: true, name: 'e' })
    this.#lines.write(null, { ctrl: true, name: 'u' })
    this.#screen.write('\n')
    this.#showPrompt()
  }

  /** Clears the queue and an unfinished prompt. @returns how many queued prompts were discarded */
  dropWaiting(): number {
    this.#unfinished.clear()
    return this.#waiting.splice(0).length
  }

  /** Clears the prompt, calls `write`, and shows the prompt again below its output. */
  writeAside(write: () => void): void {
    if (!this.#isPrompting) {
      write()
      return
    }
    const { rows } = this.#lines.getCursorPos()
    moveCursor(this.#screen, 0, -rows)
    cursorTo(this.#screen, 0)
    clearScreenDown(this.#screen)
    write()
    this.#showAgain()
  }

  /** Shows the prompt and the current line at the position of the cursor. */
  #showAgain(): void {
    if (!this.#isPrompting) return
    // readline moves the cursor up by as many rows before it draws.
    this.#screen.write('\n'.repeat(this.#lines.getCursorPos().rows))
    this.#lines.prompt(true)
  }

  #showPrompt(): void {
    this.#isPrompting = true
    this.#lines.setPrompt(this.#unfinished.isEmpty ? PROMPT : CONTINUATION)
    this.#lines.prompt(true)
  }

  #takeLine(line: string): void {
    if (this.#typedBeforePaste !== null) {
      this.#unfinished.paste(line, this.#typedBeforePaste)
      if (this.#isPrompting) this.#showPrompt()
      return
    }
    const prompt = this.#unfinished.push(line)
    if (prompt === undefined) {
      if (this.#isPrompting) this.#showPrompt()
      return
    }
    this.#waiting.push({ prompt, isTypedAhead: !this.#isPrompting })
    this.#isPrompting = false
    this.#wake()
  }

  /** Inserts pasted text at the cursor. It is submitted with Enter. */
  #paste(pasted: string | null): void {
    if (pasted === null) {
      this.#onRefused(
        new StarlingError('PAYLOAD_TOO_LARGE', 'The pasted text is longer than a prompt may be'),
      )
      return
    }
    const { line, cursor } = this.#lines
    const lines = safeText(pasted).replace(/\n+$/, '').split('\n')
    const last = lines.pop() ?? ''
    const after = lines.length > 0 ? line.slice(cursor) : ''
    if (after !== '') this.#lines.write(null, { ctrl: true, name: 'k' })
    this.#typedBeforePaste = line.slice(0, cursor)
    for (const one of lines) {
      this.#insert(one)
      this.#lines.write(null, { name: 'return' })
      this.#typedBeforePaste = ''
    }
    this.#typedBeforePaste = null
    this.#insert(last + after)
  }

  #insert(text: string): void {
    if (text !== '') this.#lines.write(text)
  }

  /** Removes lines from the history that are not kept, and the lines of prompts of several lines. */
  #keepShortLinesAlone(): void {
    let [latest, length]: [string | undefined, number] = [undefined, -1]
    // readline passes its own list, which may be changed here.
    this.#lines.on('history', (lines: string[]) => {
      const [line] = lines
      const isNew = line !== latest || lines.length !== length
      const isPart =
        this.#typedBeforePaste !== null ||
        !this.#unfinished.isEmpty ||
        line?.endsWith('\\') ||
        line?.startsWith('"""')
      if (line !== undefined && isNew && (isPart || !isKept(line))) lines.shift()
      latest = lines[0]
      length = lines.length
    })
  }

  #end(): void {
    this.#isOpen = false
    this.#isPrompting = false
    this.#session?.close()
    this.#wake()
  }
}

/** A prompt as it looks at the terminal. */
function shown(prompt: string): string {
  return `${PROMPT}${prompt.replaceAll('\n', `\n${CONTINUATION}`)}\n`
}
