namespace Virtigo.Installers.Debian;

/// <summary>
/// Follows debconf's protocol in the syslog, which the installer logs when its kernel has <c>DEBCONF_DEBUG=5</c>:
/// <c>debconf: --&gt; INPUT critical netcfg/get_hostname</c>, 
/// answered by <c>&lt;-- 0 question will be asked</c> or <c>&lt;-- 30 question skipped</c>.
/// </summary>
internal sealed class DebconfTrace
{
    private string? _input;
    private bool _shown;

    /// <summary>The question being asked, the first if there are several; null when none is or nothing is traced.</summary>
    public string? Asked { get; private set; }

    /// <summary>Takes a message of the program debconf.</summary>
    public void Take(string message)
    {
        if (message.StartsWith("--> INPUT ", StringComparison.Ordinal))
        {
            string[] words = message.Split(' ', 5, StringSplitOptions.RemoveEmptyEntries);
            _input = words.Length > 3 ? words[3] : null;
        }
        else if (message.StartsWith("<-- 0 question will be asked", StringComparison.Ordinal))
        {
            Asked ??= _input;
            _input = null;
        }
        else if (message.StartsWith("<-- 30", StringComparison.Ordinal))
        {
            _input = null;
        }
        else if (message.StartsWith("--> GO", StringComparison.Ordinal))
        {
            _shown = true;
        }
        else if (_shown && message.StartsWith("<-- ", StringComparison.Ordinal))
        {
            (Asked, _shown) = (null, false);
        }
    }
}
