import type { Token } from '../protocol/generation.js'
import { THINK_TAGS } from './thought-syntax.js'
import { type TextSegment, ThoughtText } from './thought-text.js'

/** A piece of what a server sent. */
export type AnswerPiece = Pick<Token, 'kind' | 'text'>

/**
 * Separates thought from answer in the pieces of text that a model server sends. Most servers separate
 * them; for the others, the marks are searched for in the text.
 */
export class ThoughtPieces {
  /** Null once the server has sent a thought apart from the answer, or the answer has begun. */
  #text: ThoughtText | null = new ThoughtText(THINK_TAGS, false)

  /** A piece that the server calls a thought. */
  thought(text: string): AnswerPiece[] {
    if (text === '') return []
    const held = this.end()
    return [...held, { kind: 'thought', text }]
  }

  /** A piece that the server calls a part of the answer. */
  answer(text: string): AnswerPiece[] {
    if (this.#text === null) return text === '' ? [] : [{ text }]
    const segments = this.#text.push(text)
    if (this.#text.hasAnswer) this.#text = null
    return piecesOf(segments)
  }

  /** Ends the answer. @returns what was held back because it might have been part of a mark */
  end(): AnswerPiece[] {
    const segments = this.#text?.end() ?? []
    this.#text = null
    return piecesOf(segments)
  }
}

function piecesOf(segments: readonly TextSegment[]): AnswerPiece[] {
  const pieces: AnswerPiece[] = []
  for (const { kind, text } of segments) {
    if (kind === 'thought') pieces.push({ kind, text })
    if (kind === 'answer') pieces.push({ text })
  }
  return pieces
}
