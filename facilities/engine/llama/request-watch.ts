/**
 * What the process of an engine does for one request without answering anybody in the meantime.
 *
 * `prompt`: a conversation becomes tokens, by the model's chat template and its vocabulary. `grammar`: a
 * JSON schema becomes a grammar. `tokens`: texts become tokens, or tokens a text.
 */
export const BLOCKING_STEPS = ['prompt', 'grammar', 'tokens'] as const

export type BlockingStep = (typeof BLOCKING_STEPS)[number]

/**
 * Is told what is done for a request, so that whoever looks after the process from outside knows which
 * request is to blame when it hangs.
 */
export interface RequestWatch {
  /** Does what may block the process, until the work returns; a promise is waited for. */
  during<Result>(step: BlockingStep, work: () => Result | Promise<Result>): Promise<Result>
  /** A token is being chosen by a grammar from now on. */
  choosing(): void
  /** It has been. To be called also when there was nothing to be chosen. */
  chosen(): void
}

/** Nobody looks after the request. */
export const UNWATCHED: RequestWatch = {
  during: async (_step, work) => await work(),
  choosing: () => undefined,
  chosen: () => undefined,
}
