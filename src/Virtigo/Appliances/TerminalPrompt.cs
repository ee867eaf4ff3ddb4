using System.Text;

namespace Virtigo.Appliances;

/// <summary>Asks for a password on the terminal; what is typed is not shown.</summary>
internal static class TerminalPrompt
{
    private const int MaxLength = 500;

    /// <summary>Asks.</summary>
    /// <param name="words">What is asked for.</param>
    /// <param name="cancellationToken">Ends the waiting between two keys.</param>
    /// <returns>What was typed, or null without a terminal.</returns>
    public static Task<string?> AskAsync(string words, CancellationToken cancellationToken)
    {
        if (Console.IsInputRedirected || Console.IsErrorRedirected)
        {
            return Task.FromResult<string?>(null);
        }

        Console.Error.Write($"{words}: ");
        try
        {
            var typed = new StringBuilder();
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                ConsoleKeyInfo key = Console.ReadKey(intercept: true);
                switch (key.Key)
                {
                    case ConsoleKey.Enter:
                        return Task.FromResult<string?>(typed.ToString());
                    case ConsoleKey.Backspace:
                        typed.Length = Math.Max(0, typed.Length - 1);
                        break;
                    default:
                        if (!char.IsControl(key.KeyChar) && typed.Length < MaxLength)
                        {
                            typed.Append(key.KeyChar);
                        }

                        break;
                }
            }
        }
        finally
        {
            Console.Error.WriteLine();
        }
    }
}
