using System.Text;

namespace Virtigo.Appliances;

/// <summary>Fetches passwords and keys that a spec names instead of holding them.</summary>
/// <param name="folder">The spec's folder.</param>
/// <param name="environment">What may be asked of the host.</param>
/// <param name="answers">What was answered before, by the place that asks: nobody is asked twice for one spec.</param>
internal sealed class SecretSource(SpecFolder folder, PlannerEnvironment environment, IDictionary<string, string> answers)
{
    private const int MaxKeyFileBytes = 64 * 1024;
    private const int MaxKeys = 64;

    /// <summary>The password itself: what is written, or what stands where <c>env:</c>, <c>file:</c> or <c>prompt:</c> says.</summary>
    /// <inheritdoc cref="ResolveAsync(SecretText, string, string, Func{string, string?}, CancellationToken)"/>
    public Task<SecretText> ResolveAsync(SecretText written, string place, string what, CancellationToken cancellationToken) =>
        ResolveAsync(written, place, what, ValueChecks.Password, cancellationToken);

    /// <summary>The secret itself: what is written, or what stands where <c>env:</c>, <c>file:</c> or <c>prompt:</c> says.</summary>
    /// <param name="written">What the spec says.</param>
    /// <param name="place">Where it says so, for messages, which never show a secret.</param>
    /// <param name="what">What is asked for, for a prompt without words.</param>
    /// <param name="check">Tells what is wrong with the secret itself.</param>
    /// <param name="cancellationToken">Ends the waiting for an answer.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: there is none.</exception>
    public async Task<SecretText> ResolveAsync(SecretText written, string place, string what, Func<string, string?> check, CancellationToken cancellationToken)
    {
        string text = written.Reveal();
        (string? found, string source) = text switch
        {
            _ when text.StartsWith("env:", StringComparison.Ordinal) => (FromEnvironment(text[4..], place), $"the variable {text[4..]}"),
            _ when text.StartsWith("file:", StringComparison.Ordinal) => (FromFile(text[5..], place), $"the file {text[5..]}"),
            _ when text.StartsWith("prompt:", StringComparison.Ordinal) => (await AskAsync(text[7..], place, what, cancellationToken), "the answer"),
            _ => (null, ""),
        };
        if (found is null)
        {
            return written;
        }

        return check(found) is { } problem
            ? throw new VirtigoException(FailureKind.Usage, $"{place}: {source} {problem}.", "Give another password.")
            : new SecretText(found);
    }

    /// <summary>The keys themselves, each once.</summary>
    /// <param name="written">What the spec says.</param>
    /// <param name="place">Where it says so.</param>
    /// <param name="cancellationToken">Ends the asking of the agent.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: a file holds something else, or the agent no key.</exception>
    public async Task<IReadOnlyList<string>> KeysAsync(IReadOnlyList<string> written, string place, CancellationToken cancellationToken)
    {
        var keys = new List<string>();
        foreach (string one in written)
        {
            if (one == "agent")
            {
                keys.AddRange(await environment.AgentKeys(cancellationToken) is { Count: > 0 } held
                    ? held.Where(key => ValueChecks.SshKey(key) is null)
                    : throw new VirtigoException(FailureKind.Usage, $"{place}: your ssh-agent holds no key, or there is none.",
                        "Add one (ssh-add), see what it holds (ssh-add -L), or name the key itself."));
            }
            else if (one.StartsWith("file:", StringComparison.Ordinal))
            {
                keys.AddRange(OfFile(one[5..], place));
            }
            else
            {
                keys.Add(one);
            }
        }

        return keys.Count <= MaxKeys
            ? [.. keys.Distinct()]
            : throw new VirtigoException(FailureKind.Usage, $"{place}: {keys.Count} ssh keys; expected at most {MaxKeys}.", "Leave some out.");
    }

    private string FromEnvironment(string name, string place) =>
        environment.Variable(name) is { Length: > 0 } value
            ? value
            : throw new VirtigoException(FailureKind.Usage, $"{place}: the variable {name} is not set.", $"Set it for this command, as in: {name}=… virtigo build …");

    private string FromFile(string path, string place)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(folder.ReadFile(path, place, 4096, secret: true)).TrimEnd('\n', '\r');
        }
        catch (DecoderFallbackException broken)
        {
            throw new VirtigoException(FailureKind.Usage, $"{place}: {path} is not UTF-8 text.", "Give a file with the password in it and nothing else.", broken);
        }
    }

    private async Task<string> AskAsync(string words, string place, string what, CancellationToken cancellationToken)
    {
        if (!answers.TryGetValue(place, out string? answer))
        {
            answer = await environment.Ask(words.Trim() is { Length: > 0 } asked ? asked : what, cancellationToken)
                ?? throw new VirtigoException(FailureKind.Usage, $"{place}: a password is to be asked for, and there is no terminal to ask on.",
                    "Run Virtigo on a terminal, or give the password by env:NAME or file:PATH.");
            answers[place] = answer;
        }

        return answer;
    }

    private IEnumerable<string> OfFile(string path, string place)
    {
        string[] lines = [.. Encoding.UTF8.GetString(folder.ReadFile(path, place, MaxKeyFileBytes)).Split('\n').Select(line => line.Trim())];
        bool any = false;
        for (int at = 0; at < lines.Length; at++)
        {
            if (lines[at].Length == 0 || lines[at].StartsWith('#'))
            {
                continue;
            }

            any = true;
            yield return ValueChecks.SshKey(lines[at]) is { } problem
                ? throw new VirtigoException(FailureKind.Usage, $"{place}: {path}:{at + 1}: the line {problem}.", "Give a file of public keys, one a line.")
                : lines[at];
        }

        if (!any)
        {
            throw new VirtigoException(FailureKind.Usage, $"{place}: {path} holds no key.", "Give a file of public keys, one a line.");
        }
    }
}
