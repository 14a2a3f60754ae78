/** The bar above the explorer: a field for a token where the server needs one, and who is signed in. */
import { type SyntheticEvent, useRef, useState, useSyncExternalStore } from "react";
import type { Session, State, Viewer } from "./session";

/** Shows nothing where no token is needed. */
export function SignInBar({ session }: { session: Session }) {
  const state = useSyncExternalStore(session.subscribe, session.current);
  if (state.token) return <SignedIn viewer={state.viewer} onSignOut={() => session.signOut()} />;
  return state.needed ? <SignIn session={session} state={state} /> : null;
}

function SignedIn({ viewer, onSignOut }: { viewer: Viewer | null; onSignOut: () => void }) {
  return (
    <div className="marginalia-bar" role="status">
      <span>{viewer ? <Who viewer={viewer} /> : "Signed in with a token; the server has not said as whom."}</span>
      <button type="button" onClick={onSignOut}>
        Sign out
      </button>
    </div>
  );
}

function Who({ viewer: { user, role, workspace } }: { viewer: Viewer }) {
  return (
    <>
      Signed in as <strong>{user.name}</strong>, {role ?? "with a role on some documents"} in {workspace.name}
    </>
  );
}

function SignIn({ session, state }: { session: Session; state: State }) {
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState(state.refused ? REFUSED : NEEDED);

  async function signIn(event: SyntheticEvent) {
    event.preventDefault();
    const token = field.current?.value.trim().replace(/^bearer\s+/i, "");
    if (!token) return;
    try {
      if (await session.accepts(token)) session.signIn(token);
      else setProblem(REFUSED);
    } catch {
      setProblem("The server does not answer, or the token has characters that no token has.");
    }
  }

  return (
    <form className="marginalia-bar" onSubmit={signIn}>
      <label htmlFor="marginalia-token" aria-live="polite">
        {problem}
      </label>
      {/* No name: nothing can send it as a form. */}
      <input id="marginalia-token" ref={field} type="password" placeholder="Token" autoComplete="off" required />
      <button type="submit">Sign in</button>
      <span className="marginalia-hint">
        <code>python -m marginalia token --user ID --role EDITOR --link</code> prints a link that signs in.
      </span>
    </form>
  );
}

const NEEDED = "This server needs a token.";
const REFUSED = "The server does not accept this token: it may have expired.";
