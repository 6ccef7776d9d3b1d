/** The part of fs-native-extensions 1.5 that Starling uses; the package ships no types. */
declare module 'fs-native-extensions' {
  /** Takes an exclusive advisory lock on an open file. False when somebody else holds it. */
  export function tryLock(fd: number): boolean
}
