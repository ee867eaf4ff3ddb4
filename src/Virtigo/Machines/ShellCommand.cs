using System.Text;
using Virtigo.Host;

namespace Virtigo.Machines;

/// <summary>Writes a command's options into the command itself, for shells that know only commands.</summary>
internal static class ShellCommand
{
    /// <summary>The command for a root shell that does what the options say.</summary>
    public static string Wrap(string command, CommandOptions options)
    {
        var text = new StringBuilder();
        if (options.WorkingDirectory is { } folder)
        {
            text.Append("cd ").Append(ShellQuote.Word(folder)).Append(" || exit 126\n");
        }

        foreach ((string name, string value) in options.Environment)
        {
            text.Append("export ").Append(ShellQuote.Word($"{name}={value}")).Append('\n');
        }

        return (options.User is { } user
            ? text.Append("exec su -s /bin/sh ").Append(ShellQuote.Word(user)).Append(" -c ").Append(ShellQuote.Word(command))
            : text.Append(command)).ToString();
    }
}
