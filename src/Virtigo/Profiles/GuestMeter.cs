using System.Reflection;
using Virtigo.Host;

namespace Virtigo.Profiles;

/// <summary>The program that a profile runs in a guest where the shell does not reach: offloads, transfers, steps of the clock.</summary>
internal static class GuestMeter
{
    private static readonly Lazy<string> s_program = new(() =>
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("guest-meter.pl")
            ?? throw new InvalidOperationException("guest-meter.pl is not in the assembly.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    });

    /// <summary>The shell command that runs it.</summary>
    /// <param name="arguments">What it is to do, and with what.</param>
    public static string Command(params string[] arguments) => ShellQuote.Command("perl", ["-e", s_program.Value, "--", .. arguments]);
}
