import { clearScreenDown, cursorTo, moveCursor } from 'node:readline'
import { createInterface, type Interface } from 'node:readline/promises'
import { isKept, MAX_HISTORY_LINES } from '../../../facilities/home/chat-history.js'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { PromptLines } from '../../../helpers/terminal/prompt-lines.js'
import { safeText } from '../../../helpers/terminal/terminal-text.js'
import type { HeldTerminal, Terminal } from '../run-client.js'
import { TerminalKeys } from './terminal-keys.js'

const PROMPT = '> '
/** Before the second line of a prompt, and all that follow. */
const CONTINUATION = '... '

/** A prompt that waits for its turn. */
interface Waiting {
  readonly prompt: string
  /** It was typed while no prompt was shown. */
  readonly isTypedAhead: boolean
}

/**
 * The prompts that are typed at a terminal: with the arrow keys for what was typed before, several
 * lines where they belong together, and a paste as one prompt. What is typed while an answer streams
 * waits for its turn.
 */
export class TypedPrompts {
  readonly #screen: NodeJS.WritableStream
  readonly #lines: Interface
  readonly #session: HeldTerminal | undefined
  readonly #onRefused: (error: StarlingError) => void
  /** Lines of a prompt that has not ended. */
  readonly #unfinished = new PromptLines()
  readonly #waiting: Waiting[] = []
  #isOpen = true
  /** Whether a prompt is shown, and somebody may be typing at it. */
  #isPrompting = false
  /** What stood before a line that is being pasted; null when none is. */
  #typedBeforePaste: string | null = null
  #wake: () => void = () => undefined

  /**
   * @param options.history what was typed before, the oldest first
   * @param options.onInterrupt Ctrl-C was typed
   * @param options.onRefused what was pasted cannot be taken
   */
  constructor(options: {
    terminal: Terminal
    history: readonly string[]
    onInterrupt: () => void
    onRefused: (error: StarlingError) => void
  }) {
    const { input, screen } = options.terminal
    const keys = new TerminalKeys(input)
    this.#screen = screen
    this.#onRefused = options.onRefused
    this.#lines = createInterface({
      input: keys,
      output: screen,
      terminal: true,
      prompt: PROMPT,
      // The latest first, which is how readline keeps them.
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

  /** Ends the chat once what was typed already is through. */
  close(): void {
    this.#lines.close()
  }

  /** The prompts in their order, each asked for when the one before it is dealt with. */
  async *prompts(): AsyncGenerator<string, void, void> {
    for (;;) {
      const next = this.#waiting.shift()
      if (next !== undefined) {
        // It was typed into the answer before; now that its turn has come, it is shown again.
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
   * Ctrl-C at the prompt: forgets the line and everything that waits. When there is nothing to forget,
   * the chat is over.
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

  /** Forgets prompts that wait, and the lines of one that has not ended. @returns how many prompts */
  dropWaiting(): number {
    this.#unfinished.clear()
    return this.#waiting.splice(0).length
  }

  /** Writes something while somebody may be typing: above the prompt, which stands below it again. */
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

  /** Shows the prompt, and what has been typed at it, from here on. */
  #showAgain(): void {
    if (!this.#isPrompting) return
    // readline goes up again to where it thinks that the prompt begins.
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

  /** Inserts a text where the cursor is. Its line ends end no prompt: somebody looks at it first. */
  #paste(pasted: string | null): void {
    if (pasted === null) {
      this.#onRefused(new StarlingError('PAYLOAD_TOO_LARGE', 'The paste is longer than any prompt'))
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

  /** Keeps from the arrow keys what is not to be found again, and the single lines of longer prompts. */
  #keepShortLinesAlone(): void {
    let [latest, length]: [string | undefined, number] = [undefined, -1]
    // readline hands its own list over, for exactly this.
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

/** A prompt as it looks when it is typed. */
function shown(prompt: string): string {
  return `${PROMPT}${prompt.replaceAll('\n', `\n${CONTINUATION}`)}\n`
}
