/** Who may call a method. */
export interface CallPolicy {
  /** The caller's certificate names one of these roles; `any` role will do. Or … */
  readonly roles: readonly string[] | 'any'
  /**
   * … the verifier of this name accepts a credential or a ticket in the request. Left out: only a role counts.
   * The worker that answers the method says what the verifier does: see `Service.verifier`.
   */
  readonly verifier?: string
}

/** Every member of the mesh, also one whose roles this version does not know. */
export const ANY_MEMBER: CallPolicy = { roles: 'any' }

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
