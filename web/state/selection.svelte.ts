/** What is selected and hovered, and what the lesson points at. One selection for the whole page. */

export interface Place {
  topic: string;
  partition: number;
  offset: number;
}

export type Pointed = { group: string } | { mark: "hw" | "slot" } | null;

export class Selection {
  record = $state.raw<Place | null>(null);
  hover = $state.raw<Place | null>(null);
  /** Set while a word in the lesson that names a thing on the stage is hovered or focused. */
  pointed = $state.raw<Pointed>(null);
  /** The group whose position dims the cells; null = the first one. */
  reader = $state.raw<string | null>(null);

  select(place: Place | null) {
    this.record = place;
  }
}
