import type { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Terminal } from '../run-client.js'
import { PipedPrompts } from './piped-prompts.js'
import { TerminalPrompts } from './terminal-prompts.js'

/** The prompts of a chat: typed at a terminal, or one per line from a pipe. */
export class ChatPrompts {
  /** Whether the prompts are typed at a terminal. */
  readonly isInteractive: boolean
  readonly #typed: TerminalPrompts | null
  readonly #source: TerminalPrompts | PipedPrompts

  /**
   * @param options.history what was typed before, the oldest first
   * @param options.onInterrupt Ctrl-C was typed
   * @param options.onRefused called when a paste is too long
   */
  constructor(options: {
    terminal: Terminal
    history: readonly string[]
    onInterrupt: () => void
    onRefused?: (error: StarlingError) => void
  }) {
    const { input } = options.terminal
    this.isInteractive = input.isTTY ?? false
    this.#typed = this.isInteractive
      ? new TerminalPrompts({ onRefused: () => undefined, ...options })
      : null
    this.#source = this.#typed ?? new PipedPrompts(input)
  }

  /** Ends the chat after the prompts that were already typed. */
  close(): void {
    this.#source.close()
  }

  /**
   * The prompts in their order, each read after the previous one was handled. A line of a pipe that is not
   * valid UTF-8 is yielded as an error.
   *
   * @throws StarlingError PAYLOAD_TOO_LARGE if a line of a pipe does not end
   */
  prompts(): AsyncGenerator<string | StarlingError, void, void> {
    return this.#source.prompts()
  }

  /** Handles Ctrl-C at the prompt: see {@link TerminalPrompts.interrupt}. */
  interrupt(): void {
    this.#typed?.interrupt()
  }

  /** Discards the prompts that were typed ahead. @returns how many */
  dropWaiting(): number {
    return this.#typed?.dropWaiting() ?? 0
  }

  /** Calls `write` so that its output appears above the prompt, if one is shown. */
  writeAside(write: () => void): void {
    if (this.#typed === null) write()
    else this.#typed.writeAside(write)
  }
}
