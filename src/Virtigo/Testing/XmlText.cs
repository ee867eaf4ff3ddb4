using System.Globalization;
using System.Text;

namespace Virtigo.Testing;

/// <summary>Text of guests made fit for XML, which has no way to write most control characters.</summary>
internal static class XmlText
{
    /// <summary>The text with every character that XML 1.0 does not allow written as <c>\x1b</c> or <c>\ud800</c>.</summary>
    public static string Escape(string text)
    {
        int bad = FirstBad(text, 0);
        if (bad < 0)
        {
            return text;
        }

        var escaped = new StringBuilder(text.Length + 16);
        int done = 0;
        for (; bad >= 0; bad = FirstBad(text, done))
        {
            escaped.Append(text, done, bad - done);
            escaped.Append(text[bad] < 0x100
                ? string.Create(CultureInfo.InvariantCulture, $"\\x{(int)text[bad]:x2}")
                : string.Create(CultureInfo.InvariantCulture, $"\\u{(int)text[bad]:x4}"));
            done = bad + 1;
        }

        return escaped.Append(text, done, text.Length - done).ToString();
    }

    private static int FirstBad(string text, int from)
    {
        for (int i = from; i < text.Length; i++)
        {
            char c = text[i];
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (c < 0x20 ? c is not ('\t' or '\n') : c is (>= '\x7f' and < '\xa0') or (>= '\ud800' and <= '\udfff') or '\ufffe' or '\uffff')
            {
                return i;
            }
        }

        return -1;
    }
}
