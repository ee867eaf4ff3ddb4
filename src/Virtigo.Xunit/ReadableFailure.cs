namespace Virtigo.Xunit;

/// <summary>Test runners show an exception's message only: a failure's hint and report are put into it.</summary>
internal static class ReadableFailure
{
    /// <summary>Does something; a failure of it says in its message what to do about it.</summary>
    /// <param name="action">What to do.</param>
    /// <exception cref="VirtigoException">What <paramref name="action"/> threw, with a longer message.</exception>
    public static async Task<T> OfAsync<T>(Func<Task<T>> action)
    {
        try
        {
            return await action();
        }
        catch (VirtigoException failure)
        {
            string?[] lines = [failure.Message, failure.Hint, failure.ReportDirectory is { } report ? $"Everything known about it is in {report}" : null];
            throw new VirtigoException(failure.Kind, string.Join('\n', lines.Where(line => line is not null)), failure.Hint, failure)
            {
                ReportDirectory = failure.ReportDirectory,
            };
        }
    }
}
