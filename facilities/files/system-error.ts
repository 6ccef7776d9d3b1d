/** Whether an error is from the operating system and has one of the given codes, such as `ENOENT`. */
export function isSystemError(error: unknown, ...codes: string[]): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    codes.includes(error.code)
  )
}
