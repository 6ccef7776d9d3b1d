/** What the tests use of brittle 3.19. */
declare module 'brittle' {
  export interface TestOptions {
    /** Milliseconds; 30,000 unless told otherwise. */
    readonly timeout?: number
    readonly skip?: boolean
    readonly todo?: boolean
  }

  export interface TeardownOptions {
    /** Lower runs first; 0 unless told otherwise. */
    readonly order?: number
    /** Run even when the test threw. */
    readonly force?: boolean
  }

  /** `is` and its like: strict, or by `==` through `coercively`. */
  interface Comparison {
    (actual: unknown, expected: unknown, message?: string): void
    coercively(actual: unknown, expected: unknown, message?: string): void
  }

  type Action = (() => unknown) | PromiseLike<unknown>
  /** A pattern for the error's message, a class, or the properties that it must have. */
  type ExpectedError = RegExp | (new (...args: never[]) => Error) | object

  interface ExceptionAssertion {
    (action: Action, message?: string): Promise<void>
    (action: Action, expected: ExpectedError, message?: string): Promise<void>
  }

  export interface Test {
    readonly name: string | null
    readonly is: Comparison
    readonly not: Comparison
    readonly alike: Comparison
    readonly unlike: Comparison
    /** Lets TypeError, RangeError and the other native errors through; `all` takes them too. */
    readonly exception: ExceptionAssertion & { readonly all: ExceptionAssertion }
    ok(value: unknown, message?: string): void
    absent(value: unknown, message?: string): void
    pass(message?: string): void
    fail(message?: string): void
    /** @returns milliseconds that the action took */
    execution(action: Action, message?: string): Promise<number>
    plan(assertions: number): void
    end(): void
    timeout(milliseconds: number): void
    comment(...message: unknown[]): void
    teardown(action: () => unknown, options?: TeardownOptions): void
    /** A temporary directory, removed when the test is over. */
    tmp(): Promise<string>
    /** A test within this one: it counts as one of its assertions. */
    test(name: string, body: (t: Test) => unknown): Promise<boolean>
  }

  type Body = (t: Test) => unknown

  /** A promise of the outcome is returned too, but brittle itself reports it. */
  interface Register {
    (name: string, body: Body): void
    (name: string, options: TestOptions, body: Body): void
  }

  interface BrittleTest extends Register {
    readonly test: BrittleTest
    /** Runs alone: the project's runner counts the tests that it kept from running as failed. */
    readonly solo: Register
    readonly skip: Register
    readonly todo: Register
    /** A test that runs whatever `solo` says. */
    readonly hook: Register
  }

  const test: BrittleTest
  export default test
  export const solo: Register
  export const skip: Register
  export const todo: Register
  export const hook: Register
  export { test }
}
