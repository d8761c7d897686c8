export const STEMS = ["vocals", "accompaniment"];
