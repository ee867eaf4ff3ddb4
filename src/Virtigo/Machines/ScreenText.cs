using System.Text;

namespace Virtigo.Machines;

/// <summary>Reads Linux's memory of a virtual console.</summary>
internal static class ScreenText
{
    private const int HeaderLength = 4;

    /// <summary>The text of a screen.</summary>
    /// <param name="screen">What <c>/dev/vcsa</c> holds: lines, columns, cursor, then a character and its colours for each cell.</param>
    public static string Of(ReadOnlySpan<byte> screen)
    {
        if (screen.Length < HeaderLength || screen[1] == 0)
        {
            return "";
        }

        int columns = screen[1];
        int lines = Math.Min(screen[0], (screen.Length - HeaderLength) / (2 * columns));
        var text = new StringBuilder();
        for (int line = 0; line < lines; line++)
        {
            int begin = text.Length;
            for (int column = 0; column < columns; column++)
            {
                byte cell = screen[HeaderLength + (2 * ((line * columns) + column))];
                text.Append(cell is 0 or (byte)' ' ? ' ' : cell is > 0x20 and < 0x7f ? (char)cell : '?');
            }

            while (text.Length > begin && text[^1] == ' ')
            {
                text.Length--;
            }

            text.Append('\n');
        }

        return text.ToString().TrimEnd('\n');
    }
}
