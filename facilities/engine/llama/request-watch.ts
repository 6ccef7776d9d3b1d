/**
 * The steps of a request during which an engine's process does not answer messages.
 *
 * `prompt`: a conversation becomes tokens, by the model's chat template and its vocabulary. `grammar`: a
 * JSON schema becomes a grammar. `tokens`: texts become tokens, or tokens a text.
 */
export const BLOCKING_STEPS = ['prompt', 'grammar', 'tokens'] as const

export type BlockingStep = (typeof BLOCKING_STEPS)[number]

/**
 * Records the steps of a request, so that the parent process knows which request caused it when the
 * process hangs.
 */
export interface RequestWatch {
  /** Runs work that may block the process. If it returns a promise, the step lasts until that settles. */
  during<Result>(step: BlockingStep, work: () => Result | Promise<Result>): Promise<Result>
  /** The grammar starts to choose a token. */
  choosing(): void
  /** The token is chosen. Also called if none was chosen. */
  chosen(): void
}

/** Records nothing. */
export const UNWATCHED: RequestWatch = {
  during: async (_step, work) => await work(),
  choosing: () => undefined,
  chosen: () => undefined,
}
