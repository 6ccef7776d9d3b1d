/** Who may call a method. */
export interface CallPolicy {
  /** The caller's certificate names one of these roles, or … */
  readonly roles: readonly string[]
  /**
   * … the verifier of this name accepts a credential or a ticket in the request. Left out: only a role counts.
   * The worker that answers the method says what the verifier does: see `Service.verifier`.
   */
  readonly verifier?: string
}

/** Callers with one of these roles. */
export function roles(...names: readonly string[]): CallPolicy {
  return { roles: names }
}

/**
 * Callers with one of these roles, and callers whose request the verifier accepts.
 *
 * @param verifier the name of the verifier: `ticket`
 */
export function rolesOr(names: readonly string[], verifier: string): CallPolicy {
  return { roles: names, verifier }
}
