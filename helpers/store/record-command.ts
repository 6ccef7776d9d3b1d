import type { RecordChange } from './record.js'

/** The values of the records that a command depends on, by key. A record that does not exist is left out. */
export type RecordState = ReadonlyMap<string, unknown>

/** What a command does and answers. */
export interface RecordDecision<Answer> {
  /** Empty if nothing changes. */
  readonly changes: readonly RecordChange[]
  readonly answer: Answer
}

/**
 * A command on records, as pure functions: the same state, input and time always give the same changes and the same
 * answer. It can therefore be executed by the one worker that has the records, and also by each of several workers
 * that agree on the order of commands.
 */
export interface RecordCommand<Input, Answer> {
  /** The keys of all records that the decision depends on. */
  keysOf(input: Input): readonly string[]

  /**
   * @param state the records with these keys
   * @param timeMs milliseconds since 1970
   */
  decide(state: RecordState, input: Input, timeMs: number): RecordDecision<Answer>
}
