using System.Text;
using System.Text.RegularExpressions;

namespace Virtigo.Machines;

/// <summary>Makes what a guest wrote fit to be shown: no escape sequences, no control characters.</summary>
internal static partial class ConsoleText
{
    /// <summary>The text with nothing but lines of printable characters.</summary>
    public static string Printable(string text) =>
        Control().Replace(Escape().Replace(text, "").Replace("\r\n", "\n", StringComparison.Ordinal), "");

    /// <summary>The last lines that are not empty.</summary>
    /// <param name="bytes">What the guest wrote.</param>
    /// <param name="lines">How many lines at most.</param>
    public static string Tail(ReadOnlySpan<byte> bytes, int lines)
    {
        const int longestLine = 400;
        int most = (int)Math.Min(bytes.Length, (lines + 1L) * longestLine);
        string text = Printable(Encoding.UTF8.GetString(bytes[^most..]));
        string[] all = [.. text.Split('\n').Select(line => line.TrimEnd()).Where(line => line.Length > 0)];
        return string.Join('\n', all[Math.Max(0, all.Length - lines)..]);
    }

    [GeneratedRegex(@"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Escape();

    [GeneratedRegex(@"[\x00-\x08\x0b-\x1f\x7f]", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Control();
}
