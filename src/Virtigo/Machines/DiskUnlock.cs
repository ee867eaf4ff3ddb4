using System.Text;
using Virtigo.Host;

namespace Virtigo.Machines;

/// <summary>Answers the question for the passphrase of an encrypted disk, which a booting system asks on its console.</summary>
internal static class DiskUnlock
{
    /// <summary>The question as Debian's initial file system asks it, without the disk's name, and its end.</summary>
    private static readonly byte[] s_question = Encoding.ASCII.GetBytes("Please unlock disk ");

    private static readonly byte[] s_end = Encoding.ASCII.GetBytes(": ");

    // Three for each boot, and more boots than anybody waits for.
    private const int MostAnswers = 50;
    private const int LongestName = 256;

    /// <summary>What is typed before the terminal's echo is off would show, or be lost.</summary>
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    /// <summary>Types the passphrase at every question until the console ends.</summary>
    /// <param name="console">The console; disposed at the end.</param>
    /// <param name="passphrase">The passphrase.</param>
    /// <param name="clock">Measures the pause before it is typed.</param>
    /// <param name="cancellationToken">Ends it before.</param>
    public static async Task AnswerAsync(Stream console, Passphrase passphrase, TimeProvider clock, CancellationToken cancellationToken)
    {
        await using Stream port = console;
        byte[] answer = Encoding.ASCII.GetBytes(passphrase.Reveal() + "\n");
        byte[] window = new byte[16 << 10];
        int kept = 0;
        int answers = 0;
        try
        {
            for (int count; (count = await port.ReadAsync(window.AsMemory(kept), cancellationToken)) > 0;)
            {
                int length = kept + count;
                if (answers < MostAnswers && Asks(window.AsSpan(0, length)))
                {
                    answers++;
                    await Task.Delay(s_pause, clock, cancellationToken);
                    await port.WriteAsync(answer, cancellationToken);
                    length = 0;
                }

                kept = Math.Min(length, s_question.Length + LongestName);
                window.AsSpan(length - kept, kept).CopyTo(window);
            }
        }
        catch (IOException)
        {
            // The machine's end is told by itself.
        }
    }

    /// <summary>Whether what was printed ends in the question, of which nothing was answered yet.</summary>
    internal static bool Asks(ReadOnlySpan<byte> printed)
    {
        int at = printed.LastIndexOf(s_question);
        if (at < 0)
        {
            return false;
        }

        ReadOnlySpan<byte> after = printed[(at + s_question.Length)..];
        int end = after.IndexOf(s_end);
        return end > 0 && end < LongestName && !after[..end].ContainsAny((byte)'\n', (byte)'\r');
    }
}
