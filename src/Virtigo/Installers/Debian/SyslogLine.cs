namespace Virtigo.Installers.Debian;

/// <summary>A line of the installer's syslog: <c>Nov 23 04:08:06 main-menu[1575]: message</c>.</summary>
/// <param name="Program">The program that wrote it; empty when the line has another form.</param>
/// <param name="Message">What it wrote, without the carriage returns that BusyBox shows as <c>^M</c>.</param>
internal readonly record struct SyslogLine(string Program, string Message)
{
    private const int StampLength = 16;

    /// <summary>Reads a line; one of another form is a message without program.</summary>
    public static SyslogLine Parse(string line)
    {
        if (line.Length <= StampLength || line[3] != ' ' || line[9] != ':' || line[12] != ':' || line[15] != ' ')
        {
            return new SyslogLine("", Clean(line));
        }

        int colon = line.IndexOf(": ", StampLength, StringComparison.Ordinal);
        if (colon < 0)
        {
            colon = line.EndsWith(':') ? line.Length - 1 : -1;
        }

        string tag = colon < 0 ? "" : line[StampLength..colon];
        if (tag.Contains(' ', StringComparison.Ordinal))
        {
            return new SyslogLine("", Clean(line[StampLength..]));
        }

        int bracket = tag.IndexOf('[', StringComparison.Ordinal);
        return new SyslogLine(bracket < 0 ? tag : tag[..bracket], Clean(line[Math.Min(line.Length, colon < 0 ? StampLength : colon + 2)..]));
    }

    private static string Clean(string message) => message.Replace("^M", "", StringComparison.Ordinal).Trim();
}
