// Line icons on a 24 by 24 grid.
import type { ComponentChildren } from "preact";

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      {children}
    </svg>
  );
}

const slash = <path d="M4 4l16 16" />;
const mic = (
  <>
    <rect x="9" y="3" width="6" height="11" rx="3" />
    <path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3" />
  </>
);
const camera = (
  <>
    <rect x="3" y="6.5" width="12.5" height="11" rx="2.5" />
    <path d="M15.5 11l5.5-3v8l-5.5-3" />
  </>
);

export const MicIcon = () => <Icon>{mic}</Icon>;
export const MicOffIcon = () => (
  <Icon>
    {mic}
    {slash}
  </Icon>
);
export const CameraIcon = () => <Icon>{camera}</Icon>;
export const CameraOffIcon = () => (
  <Icon>
    {camera}
    {slash}
  </Icon>
);
export const ScreenIcon = () => (
  <Icon>
    <rect x="3" y="4.5" width="18" height="12" rx="2" />
    <path d="M8.5 20h7M12 13.5v-5M9.5 10.5L12 8l2.5 2.5" />
  </Icon>
);
export const ChatIcon = () => (
  <Icon>
    <path d="M4 5.5h16v11h-9l-4.5 3.5v-3.5H4z" />
  </Icon>
);
export const PeopleIcon = () => (
  <Icon>
    <circle cx="9" cy="8.5" r="3.2" />
    <path d="M3 19.5c0-3.5 2.5-5.5 6-5.5s6 2 6 5.5M15.5 5.6a3.2 3.2 0 0 1 0 5.8M17 14.4c2.5.7 4 2.4 4 5.1" />
  </Icon>
);
export const LeaveIcon = () => (
  <Icon>
    <path d="M13 4H6v16h7M10.5 12H20M16.5 8.5L20 12l-3.5 3.5" />
  </Icon>
);
export const LinkIcon = () => (
  <Icon>
    <path d="M10 14l4-4M11 7l1.8-1.8a4.2 4.2 0 0 1 6 6L17 13M13 17l-1.8 1.8a4.2 4.2 0 0 1-6-6L7 11" />
  </Icon>
);
export const CloseIcon = () => (
  <Icon>
    <path d="M6 6l12 12M18 6L6 18" />
  </Icon>
);
export const SendIcon = () => (
  <Icon>
    <path d="M4 12l16-7.5-5.5 15-3-6z" />
  </Icon>
);
