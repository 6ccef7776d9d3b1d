import type { RecordCommand } from '../store/record-command.js'
import { type AccountRecord, accountKey } from './account-record.js'

/** Stores a new account, unless its e-mail address has one. Answers whether it was stored. */
export const registerAccount: RecordCommand<Omit<AccountRecord, 'createdAt'>, boolean> = {
  keysOf: ({ email }) => [accountKey(email)],

  decide(state, account, timeMs) {
    const key = accountKey(account.email)
    if (state.has(key)) return { changes: [], answer: false }
    const value: AccountRecord = { ...account, createdAt: timeMs }
    return { changes: [{ kind: 'put', key, value }], answer: true }
  },
}
