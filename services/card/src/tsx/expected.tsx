// Exported from the card template "t-1", version 3. Its style sheet is TagCard.css.
import type { ReactElement } from "react";

export interface TagCardProps {
  title: string;
  photo?: string;
  tags?: readonly string[];
}

/** Relative URLs and those with a scheme that runs nothing; any other leads nowhere. */
function safeUrl(url: string): string {
  const allowed = /^(?:(?:https?|mailto|tel):|[^:/?#]*(?:[/?#]|$))/i.test(url);
  return allowed ? url : "about:invalid#blocked";
}

/** Tags. */
export function TagCard({ title, photo = "", tags = [] }: TagCardProps): ReactElement {
  return (
    <div className="plexus-card" data-template="t-1">
      <div className="plexus-card-body">
        <h2>{title}: {tags.length}</h2>
        <img src={safeUrl(photo) || undefined} alt="" />
        {tags.length > 0 ? (
          <ul>
            {tags.map((tag, tagIndex) => (
              <li key={tagIndex}>{tag}</li>
            ))}
          </ul>
        ) : null}
      </div>
    </div>
  );
}
