/** The part of safety-catch 1.0 that Starling uses; the package ships no types. */
declare module 'safety-catch' {
  /** Swallows an operational error; throws a programming error again, outside of any promise. */
  export default function safetyCatch(error: unknown): void
}
